package channel

import "sync"

// Input is what a host sends to a request that is still being answered: a piece of standard input, or a signal.
type Input struct {
	// Stdin is nil in a signal and at the end of the input.
	Stdin  []byte
	Signal string
}

const (
	// mostWaiting is what may wait for a command that does not read. It is more than a host may have on the way
	// (256 KiB), so that one that keeps to this is read from at all times, and its end or another's sync is seen.
	mostWaiting = 1 << 20
	// inputCost is what an input takes beside its bytes.
	inputCost = 64
)

// Inputs is what the host sends to one request, in order.
type Inputs struct {
	mu      sync.Mutex
	waiting []Input
	cost    int
	isOver  bool
	news    chan struct{}
}

func newInputs() *Inputs { return &Inputs{news: make(chan struct{}, 1)} }

// Next waits for an input. @returns false when stop is closed first
func (i *Inputs) Next(stop <-chan struct{}) (Input, bool) {
	for {
		if input, ok := i.take(); ok {
			return input, true
		}
		select {
		case <-i.news:
		case <-stop:
			return Input{}, false
		}
	}
}

func (i *Inputs) take() (Input, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.waiting) == 0 {
		return Input{}, false
	}
	first := i.waiting[0]
	i.waiting = i.waiting[1:]
	i.cost -= len(first.Stdin) + inputCost
	return first, true
}

// add appends an input. @returns false when too much waits already
func (i *Inputs) add(input Input) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.isOver {
		return true
	}
	if i.cost > mostWaiting {
		return false
	}
	i.waiting = append(i.waiting, input)
	i.cost += len(input.Stdin) + inputCost
	select {
	case i.news <- struct{}{}:
	default:
	}
	return true
}

// end lets go of what waits and of what is still to come.
func (i *Inputs) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.isOver, i.waiting = true, nil
}
