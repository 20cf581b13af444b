// Real servers that scalers read from, filled with what `test/scaler-cases.ts` says.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needPrograms } from '../machine-programs.ts'
import { runCommand } from '../run-command.ts'

export interface RealServer extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly address: string
  readonly port: number
  readonly version: string
}

/** RabbitMQ takes a minute beside other checks. */
export const longestMs = 180_000

/** Starts a program that listens on `port`, and ends it with the scope. */
export async function started(
  stack: AsyncDisposableStack,
  program: string,
  words: readonly string[],
  port: number,
): Promise<void> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => said.push(text))
  const ended = Promise.withResolvers<void>()
  child.once('exit', () => ended.resolve())
  stack.defer(async () => {
    child.kill('SIGKILL')
    await ended.promise
  })
  const startMs = systemClock.elapsed()
  while (!(await isListening(port))) {
    if (systemClock.elapsed() - startMs > longestMs || child.exitCode !== null)
      throw new Error(`${program} does not listen: ${said.join('').slice(-2_000)}`)
    await systemClock.after(100)
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export function scratch(stack: AsyncDisposableStack): string {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-scalers-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The answer to lines of commands, when `isWhole` says that it is whole. @throws Error for one that is not in time */
export async function said(port: number, lines: readonly string[], isWhole: (text: string) => boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  socket.on('error', () => undefined) // it is told by the time that passes
  for (const line of lines) socket.write(`${line}\r\n`)
  const startMs = systemClock.elapsed()
  try {
    while (!isWhole(text)) {
      if (systemClock.elapsed() - startMs > longestMs) throw new Error(`no whole answer: ${text.slice(0, 500)}`)
      await systemClock.after(20)
    }
    return text
  } finally {
    socket.destroy()
  }
}

/** Commands as people write them; the server ends with the answer to `PING`. */
export async function tellRedis(port: number, commands: readonly string[]): Promise<string> {
  return await said(port, [...commands, 'PING'], text => text.endsWith('+PONG\r\n'))
}

const filling = [
  ...['RPUSH list 1 2 3 4 5 6 7', 'SADD set a b', 'ZADD zset 1 a 2 b 3 c', 'HSET hash a 1', 'SET text many'],
  ...['XADD jobs * n 1', 'XADD jobs * n 2', 'XADD jobs * n 3', 'XADD jobs * n 4', 'XADD jobs * n 5'],
  ...['XGROUP CREATE jobs g 0', 'XREADGROUP GROUP g me COUNT 2 STREAMS jobs >'],
]

async function redisVersion(): Promise<string> {
  return /v=(\S+)/.exec((await runCommand('redis-server', ['--version'])).stdout)?.[1] ?? 'unknown'
}

const quietRedis = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1']

/** One server with a password, filled. @throws PartUnavailable */
export async function startRedis(): Promise<RealServer> {
  await needPrograms('redis-server')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  await started(
    stack,
    'redis-server',
    ['--port', String(port), ...quietRedis, '--requirepass', 'of-the-server', '--dir', scratch(stack)],
    port,
  )
  await tellRedis(port, ['AUTH of-the-server', ...filling])
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version: await redisVersion(), [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** Two nodes of a cluster, each with half of the slots: whichever is asked, some keys are on the other. @throws PartUnavailable */
export async function startRedisCluster(): Promise<RealServer & { readonly ports: readonly number[] }> {
  await needPrograms('redis-server')
  await using stack = new AsyncDisposableStack()
  const ports: number[] = []
  for (let node = 0; node < 2; node++) {
    let port = await freePort()
    // The bus is 10000 above it.
    while (port > 55_000) port = await freePort()
    const words = [
      '--port',
      String(port),
      ...quietRedis,
      '--cluster-enabled',
      'yes',
      '--cluster-require-full-coverage',
      'no',
      '--dir',
      scratch(stack),
    ]
    await started(stack, 'redis-server', words, port)
    await tellRedis(port, [`CLUSTER ADDSLOTSRANGE ${node === 0 ? '0 8191' : '8192 16383'}`])
    ports.push(port)
  }
  const [first = 0, second = 0] = ports
  await tellRedis(first, [`CLUSTER MEET 127.0.0.1 ${second}`])
  const startMs = systemClock.elapsed()
  for (const port of ports)
    while (!/cluster_state:ok[\s\S]*cluster_slots_assigned:16384/.test(await tellRedis(port, ['CLUSTER INFO']))) {
      if (systemClock.elapsed() - startMs > longestMs) throw new Error('the nodes do not meet')
      await systemClock.after(100)
    }
  for (const command of filling) for (const port of ports) await tellRedis(port, [command])
  const moved = stack.move()
  return {
    port: first,
    ports,
    address: `127.0.0.1:${first}`,
    version: await redisVersion(),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

/** A sentinel over the master at `port`. @throws PartUnavailable */
export async function startSentinel(master: RealServer): Promise<RealServer> {
  await needPrograms('redis-server')
  await using stack = new AsyncDisposableStack()
  const port = await freePort()
  const file = join(scratch(stack), 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    'sentinel auth-pass main of-the-server',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  await started(stack, 'redis-server', [file, '--sentinel'], port)
  const moved = stack.move()
  return { port, address: `127.0.0.1:${port}`, version: master.version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

/** With JetStream, a stream of five messages and a consumer that took two of them; the address is of its monitoring port. @throws PartUnavailable */
export async function startNats(): Promise<RealServer> {
  await needPrograms('nats-server')
  await using stack = new AsyncDisposableStack()
  const [port, monitoring] = [await freePort(), await freePort()]
  const words = ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitoring), '-js', '-sd', scratch(stack)]
  await started(stack, 'nats-server', words, monitoring)
  const publish = (subject: string, body: unknown, reply = '') => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    return `PUB ${subject} ${reply === '' ? '' : `${reply} `}${Buffer.byteLength(text)}\r\n${text}`
  }
  const ask = (lines: readonly string[], answers: number) =>
    said(
      port,
      ['CONNECT {"verbose":false}', 'SUB me.> 1', ...lines, 'PING'],
      text => text.split('MSG me.').length - 1 >= answers && text.includes('PONG'),
    )
  await ask([publish('$JS.API.STREAM.CREATE.JOBS', { name: 'JOBS', subjects: ['jobs'], storage: 'memory' }, 'me.a')], 1)
  const config = { durable_name: 'worker', ack_policy: 'explicit' }
  await ask([publish('$JS.API.CONSUMER.DURABLE.CREATE.JOBS.worker', { stream_name: 'JOBS', config }, 'me.b')], 1)
  await ask(
    ['1', '2', '3', '4', '5'].map(text => publish('jobs', text, `me.${text}`)),
    5,
  )
  await said(
    port,
    ['CONNECT {"verbose":false}', 'SUB got 1', publish('$JS.API.CONSUMER.MSG.NEXT.JOBS.worker', { batch: 2 }, 'got'), 'PING'],
    text => text.split('\nMSG ').length + (text.startsWith('MSG ') ? 1 : 0) >= 3,
  )
  const version = (await runCommand('nats-server', ['--version'])).stdout.trim()
  const moved = stack.move()
  return { port: monitoring, address: `127.0.0.1:${monitoring}`, version, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}
