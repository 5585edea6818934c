import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { runCommand } from '../../../engine/command.ts';
import type { Digest } from '../../../engine/digest.ts';
import { writeCpio } from '../../../engine/formats/cpio.ts';
import { writeTar } from '../../../engine/formats/tar.ts';
import type { Blobs, Descriptor } from '../../../engine/model/blob.ts';
import type { Kit } from '../../../engine/model/kit.ts';
import { testHome } from './test-home.ts';

/** Stores an image layer with the program `/attacker`, compiled of attacker.go. @param folder - for what the compiler writes */
export async function storeAttackerLayer(blobs: Blobs, folder: string): Promise<Descriptor> {
  const source = fileURLToPath(new URL('attacker.go', import.meta.url));
  const program = join(folder, 'attacker');
  const environment = { CGO_ENABLED: '0', GOCACHE: join(testHome, 'go'), GOFLAGS: '-mod=mod', HOME: folder };
  await runCommand('go', ['build', '-trimpath', '-ldflags=-s -w -buildid=', '-o', program, source], {
    ...{ directory: folder, environment, timeoutMs: 300_000 },
  });
  const content = await readFile(program);
  const owner = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
  const tar = writeTar([
    { ...owner, path: 'attacker', type: 'file', mode: 0o755, size: content.length, content },
  ]);
  const layer = gzipSync(Buffer.concat(await tar.toArray()), { level: 6 });
  const digest = await blobs.write(layer);
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: layer.length };
}

// Knows the protocol so far as to be listened to: it follows a sync, agrees to stop, and then says whatever harms: another
// one's answer, a session of before, control characters, a line of 4 MiB, and endless ones where commands are run.
const fakeSupervisor = `#!/sheaf/bin/busybox sh
export PATH=/bin
/sheaf/bin/busybox mkdir -p /bin /proc /sys /dev
/sheaf/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /sheaf/modules/order); do insmod /sheaf/modules/$module; done
serve() {
  exec 3<>/dev/$1
  while read -r line <&3; do
    id=$(echo "$line" | sed -n 's/.*"id":\\([0-9]*\\).*/\\1/p')
    case $line in
      *sync*) last=$now; now=$line; printf '\\n%s\\n%s\\n' "$now" "$last" >&3 ;;
      *'"stop"'*) printf '{"id":%s,"ok":{}}\\n' "$id" >&3 ;;
      *) printf '{"id":%s000,"ok":{"phase":"running","healthy":true,"instance":"web.1"}}\\n' "$id" >&3
        printf '\\033]0;mine\\007\\033[2J{"id":%s,"ok":' "$id" >&3
        dd if=/dev/zero bs=65536 count=64 | tr '\\0' A >&3 ;;
    esac
  done
}
flood() { yes '{"sync":' | tr -d '\\n' >/dev/$1; }
for port in /sys/class/virtio-ports/*; do
  case $(cat $port/name) in
    org.sheaf.control) serve \${port##*/} & ;;
    org.sheaf.exec.*) flood \${port##*/} & ;;
  esac
done
while :; do sleep 1000; done
`;

/** Stores a kit whose supervisor is somebody else's. */
export async function storeFakeKit(blobs: Blobs, kit: Kit): Promise<Digest> {
  // of two archives the later counts
  const init = writeCpio([
    { kind: 'file', path: 'fake', mode: 0o755, content: Buffer.from(fakeSupervisor) },
    { kind: 'link', path: 'init', mode: 0o777, target: 'fake' },
  ]);
  const both = Buffer.concat([await blobs.read(kit.initramfs.digest), init]);
  const initramfs = { ...kit.initramfs, digest: await blobs.write(both), size: both.length };
  return await blobs.write(JSON.stringify({ ...kit, initramfs }));
}
