package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	resolveLimit = 10 * time.Second
	dialLimit    = 10 * time.Second
	mostTried    = 4
)

// forbiddenError is a name that leads where it must not.
type forbiddenError struct{ why string }

func (e forbiddenError) Error() string { return e.why }

// Lookup finds the addresses of a name.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// SystemLookup asks the machine's own resolver, with no search list. Nothing is remembered here, so a record lives as
// long as its time to live says.
func SystemLookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name+".")
}

// dial connects to a name. Its addresses are judged as they came, and what was judged is what is connected to: a name
// that leads elsewhere at the next question changes nothing.
func (u *Uplink) dial(ctx context.Context, to Name) (*net.TCPConn, error) {
	lookup, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	addresses, err := u.Lookup(lookup, to.Name)
	if err != nil {
		var failure *net.DNSError
		if errors.As(err, &failure) {
			return nil, fmt.Errorf("it cannot be resolved: %s", failure.Err)
		}
		return nil, err
	}
	own, err := u.Own()
	if err != nil {
		return nil, err
	}
	err = errors.New("it has no address")
	tried := 0
	for _, address := range addresses {
		if why := refusal(address, to.IsPrivate, own, u.book.closed); why != "" {
			if tried == 0 {
				err = forbiddenError{why}
			}
			continue
		}
		if tried == mostTried {
			break
		}
		tried++
		dialer := net.Dialer{Timeout: dialLimit}
		connection, failure := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address.Unmap().String(), strconv.Itoa(to.Port)))
		if failure == nil {
			return connection.(*net.TCPConn), nil
		}
		err = fmt.Errorf("it cannot be reached: %w", plain(failure))
	}
	return nil, err
}

// plain takes the addresses of sockets off an error, which say nothing to its reader.
func plain(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		return operation.Err
	}
	return err
}

// OwnAddresses lists the addresses of the machine, as its network has them now.
func OwnAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, one := range found {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil {
			own = append(own, prefix.Addr())
		}
	}
	return own, nil
}
