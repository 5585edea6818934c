package boot

import (
	"fmt"
	"os"
	"syscall"

	"sheaf/kit/internal/instance"
)

// mountVolumes mounts each volume over its folder. One that is mounted for the first time takes the owner and mode of
// the folder that it covers, which the image's packages have prepared.
func mountVolumes(disks Disks, volumes []instance.Volume) error {
	for _, volume := range volumes {
		device := disks["vol-"+volume.Name]
		if device == "" {
			return fmt.Errorf("the disk of the volume %s is not there", volume.Name)
		}
		if err := os.MkdirAll(volume.Mount, 0o755); err != nil {
			return err
		}
		var covered syscall.Stat_t
		if err := syscall.Stat(volume.Mount, &covered); err != nil {
			return err
		}
		disk := place{device, volume.Mount, "ext4", safe | syscall.MS_RELATIME, "", false}
		if err := disk.mount(); err != nil {
			return err
		}
		if err := adopt(volume.Mount, covered); err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
	}
	return nil
}

// AdoptFolders makes folders that a container's provider has mounted ready as volumes. What the provider copied into a new one
// out of the image goes, for a volume begins empty; a scratch volume begins so at every start.
func AdoptFolders(volumes []instance.Volume) error {
	for _, volume := range volumes {
		if _, err := os.Lstat(volume.Mount + "/.sheaf"); err == nil && volume.Kind != "scratch" {
			continue
		}
		entries, err := os.ReadDir(volume.Mount)
		for _, entry := range entries {
			if err == nil && entry.Name() != ".sheaf" {
				err = os.RemoveAll(volume.Mount + "/" + entry.Name())
			}
		}
		if err == nil {
			err = os.MkdirAll(volume.Mount+"/.sheaf", 0o700)
		}
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
	}
	return nil
}

func adopt(mount string, covered syscall.Stat_t) error {
	err := os.Mkdir(mount+"/.sheaf", 0o700)
	if os.IsExist(err) {
		return nil
	}
	if err == nil {
		err = os.Chown(mount, int(covered.Uid), int(covered.Gid))
	}
	if err == nil {
		err = syscall.Chmod(mount, covered.Mode&0o7777)
	}
	return err
}

// unmountVolumes writes everything to the disks and lets go of them; what is still in use becomes read-only.
func unmountVolumes(volumes []instance.Volume) {
	syscall.Sync()
	for i := len(volumes) - 1; i >= 0; i-- {
		if syscall.Unmount(volumes[i].Mount, 0) != nil {
			_ = syscall.Mount("", volumes[i].Mount, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
		}
	}
	syscall.Sync()
}
