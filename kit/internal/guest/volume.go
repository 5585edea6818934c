package guest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"

	"sheaf/kit/internal/channel"
	"sheaf/kit/internal/process"
)

// ownProgram is where every guest finds this program.
const ownProgram = "/run/sheaf/bin/supervisor"

type volumeRequest struct {
	Volume string `json:"volume"`
}

// Carry answers the op volume: from then on the host speaks with a program that stands in the volume.
func (g *Guest) Carry(session *channel.Session, request channel.Request, stream *channel.Stream) {
	mount, err := g.mountOf(request)
	if err != nil {
		session.Fail(request, "REQUEST_WRONG", err)
		return
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		session.Fail(request, "REQUEST_FAILED", err)
		return
	}
	defer in.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		session.Fail(request, "REQUEST_FAILED", err)
		return
	}
	defer out.Close()
	p, err := g.table.Start(process.Command{
		Label: "volume", Args: []string{ownProgram, "volume", mount}, Directory: "/",
		Stdin: theirIn, Stdout: theirOut,
	})
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		session.Fail(request, "REQUEST_FAILED", err)
		return
	}
	defer p.KillAll()
	session.Answer(request, nothing{})
	stream.Pump(in, out, farewell())
}

func (g *Guest) mountOf(request channel.Request) (string, error) {
	var r volumeRequest
	if err := json.Unmarshal(request.Line, &r); err != nil {
		return "", err
	}
	for _, volume := range g.current().Volumes {
		if volume.Name == r.Volume {
			return volume.Mount, nil
		}
	}
	return "", fmt.Errorf("there is no volume %q", r.Volume)
}

// farewell is the frame that says that nothing more comes. @source kit/internal/volume
func farewell() []byte {
	text := []byte(`{"code":"VOLUME_UNUSABLE","message":"it has ended"}`)
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	return append(append(frame, 'X'), text...)
}
