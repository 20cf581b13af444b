// Servers of documents and workflows that scalers ask, built of Go modules and filled with what `test/scaler-document-cases.ts` says.
import { once } from 'node:events'
import { connect } from 'node:net'
import { type Document, deserialize, serialize } from 'bson'
import { systemClock } from '#kube/clock.ts'
import { mongoLogin } from '../../scaler-document-cases.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { runCommand } from '../run-command.ts'
import { goServer } from './programs.ts'
import { longestMs, type RealServer, scratch, started } from './servers.ts'

/** One command of MongoDB, by whoever needs no login. @throws Error for an answer that is not in order */
async function told(port: number, command: Document): Promise<void> {
  const body = serialize(command)
  const head = Buffer.alloc(21)
  head.writeInt32LE(head.length + body.length, 0)
  head.writeInt32LE(2013, 12)
  const socket = connect(port, '127.0.0.1')
  try {
    socket.write(Buffer.concat([head, body]))
    let answer = Buffer.alloc(0)
    while (answer.length < 21 || answer.length < answer.readInt32LE(0)) {
      const [data] = (await once(socket, 'data')) as [Buffer]
      answer = Buffer.concat([answer, data])
    }
    const said = deserialize(answer.subarray(21))
    if (said['ok'] !== 1) throw new Error(`${Object.keys(command)[0]}: ${JSON.stringify(said)}`)
  } finally {
    socket.destroy()
  }
}

/** What MongoDB's clients speak with, over SQLite: first as it is, then as one that asks who we are. @throws PartUnavailable */
export async function startFerret({ hasLogin = false } = {}): Promise<RealServer> {
  const { program, version } = await goServer('ferretdb')
  await using stack = new AsyncDisposableStack()
  const directory = scratch(stack)
  const words = (port: number) => [
    ...[`--listen-addr=127.0.0.1:${port}`, '--handler=sqlite', `--sqlite-url=file:${directory}/`, `--state-dir=${directory}`],
    ...['--telemetry=disable', '--debug-addr=-', '--log-level=error'],
  ]
  const filled = async (within: AsyncDisposableStack) => {
    const port = await freePort()
    await started(within, program, words(port), port)
    const documents = Array.from({ length: 10 }, (_none, at) => ({ _id: at, age: at, state: at < 7 ? 'waiting' : 'done' }))
    await told(port, { insert: 'jobs', documents, $db: 'work' })
    return port
  }
  let port: number
  if (hasLogin) {
    await using first = new AsyncDisposableStack()
    await filled(first)
    await first.disposeAsync()
    port = await freePort()
    // The user is made with a database that is not there yet.
    const { username, password } = mongoLogin
    const setUp = [`--setup-username=${username}`, `--setup-password=${password}`, '--setup-database=people']
    await started(stack, program, [...words(port), '--test-enable-new-auth', ...setUp], port)
  } else port = await filled(stack)
  const moved = stack.move()
  return {
    ...{ port, address: `127.0.0.1:${port}`, version: `FerretDB ${version.slice(1)}` },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

/** With four workflows in the queue `jobs`, for which nobody works. @throws PartUnavailable */
export async function startTemporal(): Promise<RealServer> {
  const { program, version } = await goServer('temporal')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  await started(stack, program, ['server', 'start-dev', '--headless', '--ip=127.0.0.1', `--port=${port}`], port)
  const begin = (id: number) =>
    runCommand(program, ['workflow', 'start', `--address=${address}`, '--task-queue=jobs', '--type=job', `--workflow-id=${id}`])
  const startMs = systemClock.elapsed()
  for (let id = 0; id < 4; ) {
    const { code, stderr } = await begin(id)
    if (code === 0) id++
    // It listens before its namespace is there.
    else if (systemClock.elapsed() - startMs > longestMs) throw new Error(`Temporal: ${stderr.slice(-500)}`)
    else await systemClock.after(500)
  }
  const moved = stack.move()
  return {
    port,
    address,
    version: `Temporal's server of its CLI ${version.slice(1)}`,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}
