import test, { type ExecutionContext } from 'ava';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import { openNamedNamespaces } from '../../engine/drivers/qemu/named-namespaces.ts';
import { openTap } from '../../engine/drivers/qemu/namespace.ts';
import type { PolicyRule } from '../../engine/model/step.ts';
import { openPretendGuest, type PretendGuest } from './support/guest-namespace.ts';
import {
  ensureStep,
  leftovers,
  newDeployment,
  openQemuWorld,
  type QemuWorld,
  removeStep,
  workOf,
} from './support/qemu-world.ts';

const network = { subnet: '10.83.4.0/24', gateway: '10.83.4.1' };
const [a, b, c] = ['a.1', 'b.1', 'c.1'].map((instance, index) => ({
  instance,
  address: `10.83.4.${index + 2}`,
  mac: `02:00:00:00:00:0${index + 1}`,
})) as [Member, Member, Member];
const members = [a, b, c];
const rules: readonly PolicyRule[] = [
  { from: 'a.1', to: 'b.1', transport: 'tcp', port: 80 },
  { from: 'a.1', to: 'b.1', transport: 'udp', port: 53 },
];

type Member = { readonly instance: string; readonly address: string; readonly mac: string };

test.serial('traffic passes along the wires and nowhere else', async (t) => {
  const { guests } = await openScene(t);
  const passed: string[] = [];

  for (const [from, guest] of guests)
    for (const to of members)
      for (const transport of ['tcp', 'udp'] as const)
        for (const port of [80, 53])
          if (from !== to.instance) {
            const answer = await guest.order({ do: 'call', transport, address: to.address, port });
            if (answer !== 'nothing')
              passed.push(`${from} -> ${to.instance} ${transport} ${port}: ${answer}`);
          }

  t.deepEqual(passed, ['a.1 -> b.1 tcp 80: 10.83.4.2', 'a.1 -> b.1 udp 53: 10.83.4.2']);
});

test.serial('nothing reaches the gateway address, the host or other addresses', async (t) => {
  const { guests } = await openScene(t);
  const guest = guests.get('a.1');
  for (const transport of ['tcp', 'udp'] as const)
    await guests.get('b.1')?.order({ do: 'listen', transport, port: 81 });

  for (const address of [network.gateway, '10.83.4.200', '192.0.2.7', '255.255.255.255', '10.83.4.255'])
    for (const transport of ['tcp', 'udp'] as const)
      t.is(await guest?.order({ do: 'call', transport, address, port: 81 }), 'nothing');
});

test.serial('a forged address, a forged MAC and a forged ARP claim get nothing through', async (t) => {
  const { guests } = await openScene(t);
  const [attacker, victim] = [guests.get('c.1'), guests.get('a.1')];
  const call = { do: 'call', transport: 'udp', address: b.address, port: 53 } as const;

  await attacker?.run('ip', 'address', 'add', `${a.address}/32`, 'dev', 'lan');
  t.is(await attacker?.order({ ...call, from: a.address }), 'nothing');
  await attacker?.run('ip', 'neighbour', 'flush', 'all');
  await attacker?.run('ip', 'link', 'set', 'lan', 'address', a.mac);
  t.is(await attacker?.order({ ...call, from: a.address }), 'nothing');
  t.is(await attacker?.order(call), 'nothing');

  t.is(await victim?.order(call), a.address);
});

test.serial("a piece with a forged address never becomes part of another one's datagram", async (t) => {
  const { guests } = await openScene(t);
  const [attacker, victim] = [guests.get('c.1'), guests.get('a.1')];
  const head = { more: 1, offset: 0, content: '15b3003500100000' }; // UDP from 5555 to 53, 16 bytes with what follows
  const tail = { more: 0, offset: 1, content: '2121212121212121' };

  await attacker?.run('perl', '-e', fragmentSender, ...fragment(1, tail), '0');
  t.is(await victim?.run('perl', '-e', fragmentSender, ...fragment(1, head), '1'), 'nothing');

  await victim?.run('perl', '-e', fragmentSender, ...fragment(2, tail), '0');
  t.is(await victim?.run('perl', '-e', fragmentSender, ...fragment(2, head), '5'), 'answer');
});

/** Sends one fragment of a datagram from a.1 to b.1, then waits at port 5555 for an answer, for some seconds. */
const fragmentSender = `use Socket; my ($from, $to, $id, $more, $offset, $content, $patience) = @ARGV;
socket(my $answers, AF_INET, SOCK_DGRAM, 17); bind($answers, sockaddr_in(5555, INADDR_ANY));
socket(my $raw, AF_INET, SOCK_RAW, 255); my $body = pack("H*", $content);
my $header = pack("CCnnnCCna4a4", 0x45, 0, 20 + length $body, $id, $more << 13 | $offset, 64, 17, 0, inet_aton($from), inet_aton($to));
send($raw, $header . $body, 0, sockaddr_in(0, inet_aton($to))) or die $!;
my $bits = ""; vec($bits, fileno $answers, 1) = 1; print select($bits, undef, undef, $patience) ? "answer" : "nothing";`;

function fragment(
  id: number,
  { more, offset, content }: { readonly more: number; readonly offset: number; readonly content: string },
): readonly string[] {
  return [a.address, b.address, `${id}`, `${more}`, `${offset}`, content];
}

test.serial('IPv6 leads nowhere', async (t) => {
  const { guests } = await openScene(t);
  const guest = guests.get('a.1');

  const neighbours = await guest?.run(
    'sh',
    '-c',
    'ping -6 -c 2 -W 1 ff02::1%lan 2>/dev/null; ip -6 neigh show',
  );

  t.notRegex(neighbours ?? '', /lladdr/);
});

test.serial('a wire that goes cuts its living connections', async (t) => {
  const { world, deployment, guests } = await openScene(t);
  const [caller, server] = [guests.get('a.1'), guests.get('b.1')];
  const call = { do: 'call', transport: 'udp', address: b.address, port: 53, fromPort: 5353 } as const;
  t.is(await caller?.order(call), a.address);

  await world.driver.perform(
    ensureStep({ kind: 'policy', key: 'wires', state: { members, rules: [] } }, 2),
    workOf(deployment),
  );

  t.is(await caller?.order(call), 'nothing');
  const back = { do: 'call', transport: 'udp', address: a.address, port: 5353 } as const;
  t.is(await server?.order({ ...back, fromPort: 5354 }), 'nothing');
});

test.serial(
  'a network is made again as often as asked, and a kill in the middle of its making does not matter',
  async (t) => {
    const { world, deployment } = await openScene(t);
    const step = ensureStep({ kind: 'network', key: 'network', state: network });

    await world.driver.perform(step, workOf(deployment));
    await world.driver.perform(step, workOf(deployment));
    const { objects } = await world.driver.observe(deployment, new AbortController().signal);

    t.deepEqual(
      objects.map((one) => [one.kind, 'works' in one && one.works]),
      [
        ['network', true],
        ['policy', true],
      ],
    );
  },
);

test.serial('a removed network leaves nothing, and removing it again changes nothing', async (t) => {
  const world = await openQemuWorld(t);
  const deployment = newDeployment('gone');
  await world.driver.perform(
    ensureStep({ kind: 'network', key: 'network', state: network }),
    workOf(deployment),
  );

  await world.driver.perform(removeStep('network', 'network'), workOf(deployment));
  await world.driver.perform(removeStep('network', 'network'), workOf(deployment));

  t.deepEqual(await leftovers(world, deployment), []);
});

async function openScene(t: ExecutionContext): Promise<{
  readonly world: QemuWorld;
  readonly deployment: DeploymentIdentity;
  readonly guests: ReadonlyMap<string, PretendGuest>;
}> {
  const world = await openQemuWorld(t);
  const deployment = newDeployment('network');
  const work = workOf(deployment);
  t.teardown(async () => {
    await world.driver.perform(removeStep('policy', 'wires'), work);
    await world.driver.perform(removeStep('network', 'network'), work);
  });
  await world.driver.perform(ensureStep({ kind: 'network', key: 'network', state: network }), work);
  await world.driver.perform(ensureStep({ kind: 'policy', key: 'wires', state: { members, rules } }), work);
  const guests = new Map<string, PretendGuest>();
  for (const member of members) {
    const guest = await openPretendGuest(deployment.id, member, network.gateway);
    t.teardown(guest.close);
    await openTap(
      await openNamedNamespaces().ensure(deployment.id, work.signal),
      { ...member, gateway: network.gateway },
      work.signal,
    );
    for (const transport of ['tcp', 'udp'] as const)
      for (const port of [80, 53]) await guest.order({ do: 'listen', transport, port });
    guests.set(member.instance, guest);
  }
  return { world, deployment, guests };
}
