import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes an application of n appliances of three kinds and twice as many wires, with the kinds beside it.
 *
 * Every appliance but the first is wired to two that stand before it, so the graph has no cycle and is some ten deep.
 *
 * @param folder - made when absent
 */
export function generateApplication(folder: string, count: number): void {
  for (const kind of ['front', 'middle', 'back']) {
    mkdirSync(join(folder, 'appliances', kind), { recursive: true });
    writeFileSync(join(folder, 'appliances', kind, 'appliance.yaml'), applianceText(kind));
    writeFileSync(join(folder, 'appliances', kind, 'conf.njk'), 'title = {{ properties.title }}\n');
  }
  const lines = [
    'apiVersion: sheaf/v1',
    'kind: Application',
    'name: generated',
    'version: 1.0.0',
    'parameters:',
    '  title: {type: string, default: Generated}',
    'appliances:',
  ];
  const kinds = ['front', 'middle', 'back'];
  for (let index = 0; index < count; index += 1) {
    const replicas = index % 7 === 0 ? ', replicas: 2' : '';
    const properties =
      index % 3 === 0 ? '{title: {parameter: title}}' : `{title: Number ${index}, workers: 8}`;
    lines.push(`  a${index}: {uses: ${kinds[index % 3]}@^1${replicas}, properties: ${properties}}`);
  }
  lines.push('wires:');
  for (let index = 1; index < count; index += 1) {
    lines.push(
      `  - a${index}.first -> a${index >> 1}.in`,
      `  - a${index}.second -> a${Math.floor(index / 3)}.in`,
    );
  }
  writeFileSync(join(folder, 'application.yaml'), `${lines.join('\n')}\n`);
}

function applianceText(name: string): string {
  return `apiVersion: sheaf/v1
kind: Appliance
name: ${name}
version: 1.2.0
terminals:
  in: {direction: in, protocol: http, port: 80}
  first: {direction: out, protocol: http, optional: true}
  second: {direction: out, protocol: tcp, optional: true}
properties:
  title: {type: string}
  workers: {type: integer, min: 1, max: 64, default: 4}
resources:
  cpu: {min: 0.05, default: 0.5, max: 8}
  memory: {min: 64MiB, default: 128MiB, max: 4GiB}
image: {suite: bookworm, packages: [nginx-light]}
files:
  - {path: /etc/service.conf, template: conf.njk, onChange: service}
services:
  service: {command: [nginx, -g, "daemon off;"]}
health: {http: {terminal: in}}
`;
}
