import { type BlueprintExternal, exitsOf, type OuterName } from '../model/blueprint.ts';
import type { ExitState, Peer } from '../model/step.ts';
import { addressOf, type DeploymentView, endKey } from './deployment-view.ts';

// in a network of the deployment's own, whose gateway address serves nothing else
const firstPort = 4430;

/** Gives the way out that instances of an appliance see, at the gateway of their own network. */
export function wayOutOf(view: DeploymentView, door: string, gateway: string): Peer {
  const index = exitsOf(view.request.blueprint).map(endKey).sort().indexOf(door);
  return { name: 'outside', address: gateway, port: firstPort + index };
}

/** Says what a door that leads out lets pass: for each client, the names that its wires to the door's appliance list. */
export function exitState(
  view: DeploymentView,
  exit: Omit<BlueprintExternal, 'port'>,
  gateway: string,
): ExitState {
  const { address, port } = wayOutOf(view, endKey(exit), gateway);
  const instances = view.byAppliance.get(exit.appliance) ?? [];
  return {
    ...exit,
    listen: { address, port },
    sources: instances.map(({ name }) => ({ name, address: addressOf(view, name).address })),
    clients: clientsOf(view, exit.appliance),
  };
}

function clientsOf(view: DeploymentView, appliance: string): ExitState['clients'] {
  const wanted = new Map<string, Map<string, OuterName>>();
  for (const { from, to, names } of view.request.blueprint.wires) {
    if (to.appliance !== appliance || names === undefined) continue;
    const known = wanted.get(from.appliance) ?? new Map<string, OuterName>();
    wanted.set(from.appliance, known);
    for (const one of names) {
      const key = `${one.name}:${one.port}`;
      if (!known.get(key)?.isPrivate) known.set(key, one);
    }
  }
  return view.instances.flatMap(({ name, appliance: { path } }) => {
    const names = wanted.get(path);
    return names === undefined
      ? []
      : [{ name, address: addressOf(view, name).address, names: [...names.values()] }];
  });
}
