package command

import "os"

// pipe has an end for the command and one for us.
type pipe struct {
	theirs, ours *os.File
}

type pipes struct {
	stdin, stdout, stderr pipe
}

func openPipes(withInput bool) (*pipes, error) {
	p := &pipes{}
	var err error
	if withInput {
		p.stdin.theirs, p.stdin.ours, err = os.Pipe()
	}
	if err == nil {
		p.stdout.ours, p.stdout.theirs, err = os.Pipe()
	}
	if err == nil {
		p.stderr.ours, p.stderr.theirs, err = os.Pipe()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// closeTheirs lets go of the command's ends, so that ours end when the command's are closed.
func (p *pipes) closeTheirs() {
	for _, one := range []pipe{p.stdin, p.stdout, p.stderr} {
		one.theirs.Close() // of a nil file: an error and nothing else
	}
}

func (p *pipes) close() {
	p.closeTheirs()
	for _, one := range []pipe{p.stdin, p.stdout, p.stderr} {
		one.ours.Close()
	}
}
