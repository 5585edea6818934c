import { plainText } from '../channel.ts';
import { isMessage, type Message, type Patience, silent } from '../line-socket.ts';
import { connectLines } from './unix-socket.ts';

/** Asks one thing after the other in one conversation with a QEMU. @returns what stands under `return` */
export type AskMonitor = (command: string, parts?: Message) => Promise<unknown>;

/**
 * Talks to a QEMU over its monitor socket.
 *
 * @param patience - with each answer
 * @throws EngineError INSTANCE_SILENT, also when it refuses something
 * @source qemu/docs/interop/qmp-spec.txt
 */
export async function withMonitor<T>(
  path: string,
  patience: Patience,
  talk: (ask: AskMonitor) => Promise<T>,
): Promise<T> {
  const socket = await connectLines(path, patience);
  const ask: AskMonitor = async (command, parts) => {
    await socket.send({ execute: command, ...(parts && { arguments: parts }) }, patience);
    return await answer(command, () => socket.receive(patience));
  };
  try {
    await socket.receive(patience); // its greeting
    await ask('qmp_capabilities');
    return await talk(ask);
  } finally {
    socket.close();
  }
}

/** Gives QEMU's word for what a machine does, such as `running`, `paused` or `io-error`. */
export async function machineState(path: string, patience: Patience): Promise<string> {
  const said = await withMonitor(path, patience, (ask) => ask('query-status'));
  const status = isMessage(said) ? said['status'] : undefined;
  return typeof status === 'string' ? status : 'unknown';
}

/** Presses the power button of a machine, which a whole system takes as the wish to switch it off. */
export async function pressPowerButton(path: string, patience: Patience): Promise<void> {
  await withMonitor(path, patience, (ask) => ask('system_powerdown'));
}

async function answer(command: string, receive: () => Promise<Message>): Promise<unknown> {
  for (;;) {
    const message = await receive();
    const { error } = message;
    if (isMessage(error)) throw silent(`its monitor refused ${command}: ${plainText(String(error['desc']))}`);
    if ('return' in message) return message['return'];
  }
}
