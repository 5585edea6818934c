package sandbox

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
)

const tableName = "sheaf"

// resolver is where container engines let names be asked, which forward the questions to the outer world.
var resolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// numbers are those of the protocols that wires know.
var numbers = map[string]byte{"tcp": syscall.IPPROTO_TCP, "udp": syscall.IPPROTO_UDP}

// Of linux/netfilter.h and linux/netfilter/nf_tables.h.
const (
	hookIn, hookForward, hookOut = 1, 2, 3

	directionOriginal, directionReply = 0, 1

	loopbackDevice = 1 // its number in every network namespace
)

// Load replaces the namespace's rules as a whole, or not at all.
//
// An instance's own packets leave with its own address, along its wires; what comes in comes from the true address of
// the other end, because that end's namespace has such rules too. Replies are judged by the same wires.
func Load(rules Rules) error {
	t := &transaction{}
	t.addTable(tableName) // makes removing it safe when there is none
	t.removeTable(tableName)
	t.addTable(tableName)
	t.addChain(tableName, "enter", hookIn)
	t.addChain(tableName, "pass", hookForward)
	t.addChain(tableName, "leave", hookOut)
	if rules.Inner == nil {
		t.addRule(tableName, "leave", drop, isIPv4(), hasTarget(resolver))
	}
	t.addRule(tableName, "leave", accept, leavesBy(loopbackDevice))
	t.addRule(tableName, "enter", accept, comesBy(loopbackDevice))
	for _, way := range rules.Ways {
		asks, answers := "leave", "enter"
		from, to := rules.Address, way.Address
		if way.Leads == "in" {
			asks, answers = answers, asks
			from, to = to, from
		}
		transport := numbers[way.Transport]
		t.addRule(tableName, asks, accept, isIPv4(), hasTransport(transport), goes(directionOriginal),
			hasSource(from), hasTarget(to), hasTargetPort(way.Port))
		t.addRule(tableName, answers, accept, isIPv4(), hasTransport(transport), goes(directionReply),
			hasSource(to), hasTarget(from), hasSourcePort(way.Port))
	}
	if rules.Inner != nil {
		t.addRule(tableName, "leave", accept, isIPv4(), goes(directionOriginal), hasTargetOutside(*rules.Inner))
		t.addRule(tableName, "enter", accept, isIPv4(), goes(directionReply), hasSourceOutside(*rules.Inner))
	}
	if len(rules.Ways) > 0 {
		// that a packet was too large for the way, or nobody listens
		for _, chain := range []string{"enter", "leave"} {
			t.addRule(tableName, chain, accept, isIPv4(), hasTransport(syscall.IPPROTO_ICMP), isRelated())
		}
	}
	return t.commit()
}

// The conditions of a rule. Each loads something of the packet into a register and compares it.

func isIPv4() condition { return meta(metaFamily, []byte{syscall.AF_INET}) }

func hasTransport(number byte) condition { return meta(metaTransport, []byte{number}) }

func comesBy(device uint32) condition { return meta(metaDeviceIn, native(device)) }

func leavesBy(device uint32) condition { return meta(metaDeviceOut, native(device)) }

func hasSource(address netip.Addr) condition { return payload(networkHeader, 12, address.AsSlice()) }

func hasTarget(address netip.Addr) condition { return payload(networkHeader, 16, address.AsSlice()) }

func hasSourceOutside(network netip.Prefix) condition { return outside(12, network) }

func hasTargetOutside(network netip.Prefix) condition { return outside(16, network) }

func outside(offset uint32, network netip.Prefix) condition {
	c := load(networkHeader, offset, 4)
	c = append(c, mask(net.CIDRMask(network.Bits(), 32))...)
	return append(c, compare(network.Masked().Addr().AsSlice(), unequal)...)
}

func hasSourcePort(port uint16) condition { return payload(transportHeader, 0, bigEndian16(port)) }

func hasTargetPort(port uint16) condition { return payload(transportHeader, 2, bigEndian16(port)) }

func goes(direction byte) condition {
	return append(connection(trackDirection), compare([]byte{direction}, equal)...)
}

func isRelated() condition {
	const related = 1 << 2
	return append(append(connection(trackState), mask(native(related))...), compare(native(0), unequal)...)
}

func native(number uint32) []byte {
	b := make([]byte, 4)
	binary.LittleEndian.PutUint32(b, number) // of this platform, linux/amd64
	return b
}

func bigEndian16(number uint16) []byte {
	return []byte{byte(number >> 8), byte(number)}
}
