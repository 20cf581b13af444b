// One command over the channels that kubectl speaks: a byte in front of each message says which.
import type { MessageSocket } from '../api/request.ts'
import type { OpenShell } from './open-containers.ts'
import { TerminalInput } from './terminal-input.ts'

interface AskedCommand {
  readonly shell: OpenShell
  readonly command: readonly string[]
  readonly hasTty: boolean
  readonly hasStdin: boolean
  /** It is the container's own program: its status tells the code, and who is attached hears none. */
  readonly isAttached?: true
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/**
 * Runs it until it ends, its container does, or the client is gone. A terminal shows what is typed, and has one stream of output.
 * Resolves with the code with which it ended by itself.
 */
export async function runCommand(
  { shell, command, hasTty, hasStdin, isAttached }: AskedCommand,
  socket: MessageSocket,
  signal: AbortSignal,
): Promise<number | undefined> {
  const own = new AbortController()
  const stops = AbortSignal.any([signal, own.signal])
  const write = (channel: number) => async (bytes: Uint8Array) => {
    const shown = hasTty ? Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1') : bytes
    await socket.send(Buffer.concat([Buffer.from([channel]), shown]))
  }
  const stdout = write(channels.stdout)
  const input = new TerminalInput(hasTty, stdout)
  const reading = readInput(socket, hasStdin ? input : undefined).finally(() => {
    input.end()
    own.abort()
  })
  const onStop = () => input.end()
  stops.addEventListener('abort', onStop, { once: true })
  const stdin = hasStdin ? input : empty()
  const streams = { stdin, stdout, stderr: hasTty ? stdout : write(channels.stderr) }
  const code = await Promise.race([
    shell(stops, hasTty).run(command, streams),
    aborted(stops).then(() => 143),
    // It ends by the signal alone, unless it fails.
    reading.then(() => new Promise<never>(() => undefined)),
  ])
  await socket.send(
    Buffer.concat([
      Buffer.from([channels.error]),
      Buffer.from(JSON.stringify(ending(isAttached ? 0 : signal.aborted ? 137 : code))),
    ]),
  )
  return stops.aborted ? undefined : code
}

/** Shows what the container's own program writes until it ends; what is sent to it goes nowhere. */
export async function showWritten(
  texts: AsyncIterator<string>,
  socket: MessageSocket,
  { hasTty }: Pick<AskedCommand, 'hasTty'>,
): Promise<void> {
  const reading = readInput(socket, undefined)
  for (;;) {
    const next = await Promise.race([texts.next(), reading.then(() => undefined)])
    if (next === undefined) return
    if (next.done === true) break
    const text = hasTty ? next.value.replaceAll('\n', '\r\n') : next.value
    if (text !== '') await socket.send(Buffer.concat([Buffer.from([channels.stdout]), Buffer.from(text)]))
  }
  await socket.send(Buffer.concat([Buffer.from([channels.error]), Buffer.from(JSON.stringify(ending(0)))]))
}

async function readInput(socket: MessageSocket, input: TerminalInput | undefined): Promise<void> {
  for await (const message of socket.messages) {
    const [channel] = message
    if (channel === channels.stdin) await input?.add(message.subarray(1))
    if (channel === channels.close && message[1] === channels.stdin) input?.end()
  }
}

function ending(code: number) {
  if (code === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}

async function* empty(): AsyncGenerator<Uint8Array, void, undefined> {
  // A command without standard input reads none.
}
