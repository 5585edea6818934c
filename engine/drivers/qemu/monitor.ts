import { connectLines, isMessage, type Message, type Patience, silent } from './line-socket.ts';

/**
 * Asks a QEMU one thing over its monitor socket.
 *
 * @source qemu/docs/interop/qmp-spec.txt
 */
async function askMonitor(path: string, command: string, patience: Patience): Promise<Message> {
  const socket = await connectLines(path, patience);
  try {
    await socket.receive(patience); // its greeting
    await socket.send({ execute: 'qmp_capabilities' }, patience);
    await answer(() => socket.receive(patience));
    await socket.send({ execute: command }, patience);
    return await answer(() => socket.receive(patience));
  } finally {
    socket.close();
  }
}

/** Gives QEMU's word for what a machine does, such as `running`, `paused` or `io-error`. */
export async function machineState(path: string, patience: Patience): Promise<string> {
  const { status } = await askMonitor(path, 'query-status', patience);
  return typeof status === 'string' ? status : 'unknown';
}

async function answer(receive: () => Promise<Message>): Promise<Message> {
  for (;;) {
    const message = await receive();
    if ('error' in message) throw silent('its monitor refused a command');
    if ('return' in message) return isMessage(message['return']) ? message['return'] : {};
  }
}
