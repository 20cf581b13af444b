// HAProxy as data plane, as the image has it: the tables of cases that the gateway itself has to pass, and what only HAProxy can get wrong.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { once } from 'node:events'
import { existsSync, mkdtempDisposableSync, readFileSync } from 'node:fs'
import { createServer, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { leastPatienceMs } from '../../../src/capabilities/gateway/data-plane/warm-routes.ts'
import type { Route } from '../../../src/capabilities/gateway/routing/route.ts'
import { gatewayOn, routeTo, serviceObjects } from '../../loopback-gateway.ts'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import { until } from '../metrics/servers.ts'
import { commandOutput, runCommand } from '../run-command.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const tables = [
  'src/capabilities/gateway/proxy',
  'src/capabilities/gateway/doors.test.ts',
  'test/gateway-raw.test.ts',
  'test/gateway-replay.test.ts',
]
const limitMs = 300_000

/** The same cases, recorded and by hand, with HAProxy in front: one that is told otherwise has a row in `test/gateway-haproxy-differences.ts`. */
export async function sameTables(): Promise<string> {
  await needProgramsOfImage()
  const env = { ...process.env, BALLAST_TEST_DATA_PLANE: 'haproxy' }
  using directory = mkdtempDisposableSync(join(tmpdir(), 'ballast-tables-'))
  const file = join(directory.path, 'told.json')
  const args = [join(root, 'bin', 'set-up'), 'vitest', 'run', '--reporter=json', `--outputFile=${file}`, ...tables]
  const { stdout, stderr } = await runCommand(process.execPath, args, { cwd: root, env, timeoutMs: limitMs })
  if (!existsSync(file)) throw new Error(`${stdout}\n${stderr}`.slice(-2_000))
  const said = JSON.parse(readFileSync(file, 'utf8'))
  const failed: string[] = said.testResults.flatMap((file: { assertionResults: { status: string; fullName: string }[] }) =>
    file.assertionResults.flatMap(({ status, fullName }) => (status === 'failed' ? [fullName] : [])),
  )
  if (failed.length > 0 || said.success !== true)
    throw new Error(`with HAProxy these fail: ${failed.join('; ') || said.numFailedTestSuites}`)
  return `${said.numPassedTests} cases pass with HAProxy as they do without`
}

type Answer = (response: ServerResponse, path: string) => void

async function target(stack: AsyncDisposableStack, answer: Answer, host = '127.0.0.1') {
  const seen: string[] = []
  const server: Server = createServer((incoming, response) => {
    seen.push(incoming.url ?? '')
    answer(response, incoming.url ?? '')
  }).listen(0, host)
  await once(server, 'listening')
  stack.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, host, seen }
}

interface Said {
  readonly status: number
  readonly text: string
}

function ask(port: number, path = '/', method = 'GET'): Promise<Said> {
  const { promise, resolve, reject } = Promise.withResolvers<Said>()
  const asked = request({ host: '127.0.0.1', port, path, method, headers: { host: 'app.test' }, agent: false }, response => {
    let text = ''
    response.on('data', chunk => {
      text += chunk
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    response.on('error', reject)
  })
  asked.on('error', reject)
  asked.end(method === 'POST' ? 'body' : undefined)
  return promise
}

/** What HAProxy carries is counted, measured and shared out; what it cannot reach, and its own end, cost no request. */
export async function haproxyCarries(): Promise<string> {
  await needProgramsOfImage()
  await using stack = new AsyncDisposableStack()
  const held: ServerResponse[] = []
  const errors: unknown[] = []
  const log = { ...silentLog, error: (fields: unknown) => void errors.push(fields), child: () => log } as typeof silentLog
  const open = async (endpoints: readonly { readonly port: number; readonly host?: string }[], more: Partial<Route> = {}) => {
    const gateway = stack.use(
      await gatewayOn(systemClock, {
        routes: [routeTo('app', more)],
        objects: serviceObjects('app', endpoints),
        log,
        dataPlane: 'haproxy',
      }),
    )
    await until('HAProxy to know the route', async () => gateway.traffic.state.includes('carries 1 routes'))
    return gateway
  }
  const counted = await target(stack, (response, path) => (path === '/held' ? void held.push(response) : response.end('here')))
  const one = await open([counted])
  const waiting = Array.from({ length: 3 }, () => ask(one.port, '/held'))
  await until('three requests', async () => held.length === 3 && one.counts.of('default/app').concurrency === 3)
  for (const response of held.splice(0)) response.end('late')
  deepStrictEqual(new Set((await Promise.all(waiting)).map(({ text }) => text)), new Set(['late']))
  await until('none', async () => one.counts.of('default/app').concurrency === 0)
  strictEqual(one.counts.of('default/app').total, 3)
  const metric = 'interceptor_request_count_total{code="200",method="GET",route_name="app",route_namespace="default"} 3'
  await until('three lines', async () => (await one.registry.metrics()).includes(metric))

  // Nobody listens at one of two addresses: the gateway itself asks again.
  const gone = await target(stack, response => response.end())
  const half = await open([counted, { port: 9 }, { port: 9, host: '127.0.0.2' }])
  for (const method of ['GET', 'POST'])
    for (let turn = 0; turn < 20; turn++) strictEqual((await ask(half.port, '/', method)).text, 'here')
  strictEqual(gone.seen.length, 0)

  // Two pods get a share each, whichever family its address is of.
  const [left, right] = [
    await target(stack, response => response.end('left')),
    await target(stack, response => response.end('right'), '::1'),
  ]
  const two = await open([left, right])
  for (let turn = 0; turn < 200; turn++) await ask(two.port)
  for (const { seen } of [left, right]) ok(seen.length > 50, `${left.seen.length} and ${right.seen.length} of 200`)

  // A target that says nothing is given up; one whose answer has begun may take its time.
  const slow = await target(stack, (response, path) => {
    if (path === '/never') return
    response.write('first')
    void systemClock.after(leastPatienceMs + 1_000).then(() => response.end(' last'))
  })
  const patient = await open([slow], { timeouts: { responseHeaderMs: leastPatienceMs } })
  const never = ask(patient.port, '/never')
  strictEqual((await ask(patient.port, '/slow')).text, 'first last')
  strictEqual((await never).status, 504)

  // HAProxy ends, or hangs: the gateway has the port itself, at once or after a while.
  const pids = (await commandOutput('pgrep', ['-P', String(process.pid), '-f', 'haproxy.cfg'])).trim().split('\n')
  const files = pids
    .map(pid =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        .split('\0')
        .find(word => word.endsWith('/haproxy.cfg')),
    )
    .filter(file => file !== undefined)
  strictEqual(files.length, pids.length)
  for (const [at, pid] of pids.entries()) process.kill(Number(pid), at === 0 ? 'SIGSTOP' : 'SIGKILL')
  for (const gateway of [half, one]) {
    await until('the gateway to answer itself', async () => (await ask(gateway.port).catch(() => ({ text: '' }))).text === 'here')
    match(gateway.traffic.state, /HAProxy ended/)
  }
  strictEqual(errors.length, pids.length)
  await until('HAProxy to carry again', async () => half.traffic.state.includes('carries 1 routes'))
  const before = half.arrived()
  for (let turn = 0; turn < 10; turn++) strictEqual((await ask(half.port)).text, 'here')
  ok(half.arrived() - before < 10, 'HAProxy was started again and carries nothing')
  await until('their files to be taken away', async () => files.every(file => !existsSync(file)))
  return `counted 3, 40 of 40 past two dead addresses, ${left.seen.length} and ${right.seen.length} of 200 to two pods, ${pids.length} HAProxys ended and their gateways went on`
}
