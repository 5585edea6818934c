import test from 'ava';
import { rulesetDigest, rulesetOf } from '../../../engine/drivers/qemu/ruleset.ts';
import { EngineError } from '../../../engine/errors.ts';

const network = { subnet: '10.83.4.0/24', gateway: '10.83.4.1' };
const web = { instance: 'web.1', address: '10.83.4.2', mac: '02:00:00:00:00:01' };
const db = { instance: 'db.1', address: '10.83.4.3', mac: '02:00:00:00:00:02' };
const wire = { from: 'web.1', to: 'db.1', transport: 'tcp', port: 5432 } as const;

test('a policy becomes one transaction that names every tap, MAC, address and port', (t) => {
  const ruleset = rulesetOf({
    network,
    policy: { members: [web, db], rules: [wire] },
    targets: [{ address: web.address, transport: 'tcp', port: 80 }],
    ways: [{ instance: 'db.1', address: network.gateway, port: 4430 }],
  });

  t.is(ruleset.replace(/sha256:\w+/, 'DIGEST'), guestbookRules);
});

test('without a policy nothing passes', (t) => {
  const ruleset = rulesetOf({ network, policy: null, targets: [], ways: [] });

  t.notRegex(ruleset, /elements/);
  t.is(ruleset.match(/policy drop/g)?.length, 5);
});

test('equal policies give equal bytes, whatever their order', (t) => {
  const other = { from: 'db.1', to: 'web.1', transport: 'udp', port: 53 } as const;

  const one = rulesetOf({
    network,
    policy: { members: [web, db], rules: [wire, other] },
    targets: [],
    ways: [],
  });
  const two = rulesetOf({
    network,
    policy: { members: [db, web], rules: [other, wire] },
    targets: [],
    ways: [],
  });

  t.is(one, two);
  t.is(rulesetDigest(one)?.length, 71);
});

for (const [what, member] of [
  ['address', { ...web, address: '10.83.4.2 } ; flush ruleset' }],
  ['MAC', { ...web, mac: '02:00:00:00:00:01 . 0.0.0.0' }],
] as const)
  test(`text that is no ${what} never reaches the packet filter`, (t) => {
    const refused = t.throws(
      () => rulesetOf({ network, policy: { members: [member], rules: [] }, targets: [], ways: [] }),
      { instanceOf: EngineError },
    );

    t.is(refused.code, 'INTERNAL_ERROR');
  });

const guestbookRules = `table inet sheaf
delete table inet sheaf
table arp sheaf
delete table arp sheaf
table inet sheaf {
  comment "DIGEST"
  set members {
    type ifname . ether_addr . ipv4_addr
    elements = {
      "v-03d163f5c1e6" . 02:00:00:00:00:02 . 10.83.4.3,
      "v-f2059589cb87" . 02:00:00:00:00:01 . 10.83.4.2
    }
  }
  set wires {
    type ifname . ifname . inet_proto . inet_service
    elements = {
      "v-f2059589cb87" . "v-03d163f5c1e6" . tcp . 5432
    }
  }
  set targets {
    type ipv4_addr . inet_proto . inet_service
    elements = {
      10.83.4.2 . tcp . 80
    }
  }
  set ways {
    type ifname . ipv4_addr . inet_service
    elements = {
      "v-03d163f5c1e6" . 10.83.4.1 . 4430
    }
  }
  set flows {
    type ifname
    size 1024
    flags dynamic
  }
  chain arrive {
    type filter hook prerouting priority -450; policy drop
    iifname . ether saddr . ip saddr @members fib daddr type { unicast, local } accept
  }
  chain pass {
    type filter hook forward priority filter; policy drop
    ct state invalid drop
    ct state new add @flows { iifname ct count over 16384 } drop
    ct direction original iifname . oifname . meta l4proto . th dport @wires accept
    ct direction reply oifname . iifname . meta l4proto . th sport @wires accept
    ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
  }
  chain enter {
    type filter hook input priority filter; policy drop
    ct direction reply ct state established ip saddr . meta l4proto . th sport @targets accept
    ct state new add @flows { iifname ct count over 16384 } drop
    ct direction original meta l4proto tcp iifname . ip daddr . th dport @ways accept
    ct state related icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
  }
  chain leave {
    type filter hook output priority filter; policy drop
    ip saddr 10.83.4.1 ip daddr . meta l4proto . th dport @targets accept
    ct direction reply meta l4proto tcp oifname . ip saddr . th sport @ways accept
    ip saddr != 10.83.4.0/24 ip daddr . meta l4proto . th dport @targets accept
  }
}
table arp sheaf {
  set members {
    type ifname . ether_addr . ipv4_addr
    elements = {
      "v-03d163f5c1e6" . 02:00:00:00:00:02 . 10.83.4.3,
      "v-f2059589cb87" . 02:00:00:00:00:01 . 10.83.4.2
    }
  }
  chain arrive {
    type filter hook input priority filter; policy drop
    arp operation request iifname . arp saddr ether . arp saddr ip @members accept
  }
}
`;
