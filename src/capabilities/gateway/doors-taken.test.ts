// A HAProxy that ends, and a stranger who has its port by then: the gateway says that nobody listens. A program in its place only takes commands.
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { gatewayOn } from '#test/loopback-gateway.ts'
import { gatewayConfiguration } from './config.ts'
import { Doors } from './doors.ts'

const program = `#!${process.execPath}
const [, , option, , file] = process.argv
if (option === '-v') console.log('HAProxy version 3.0.11')
else {
  require('node:fs').writeFileSync(__dirname + '/pid', String(process.pid))
  const [, socket] = /stats socket (\\S+)/.exec(require('node:fs').readFileSync(file, 'utf8'))
  require('node:net').createServer(one => one.on('error', () => {}).on('data', () => one.end('\\n'))).listen(socket)
  process.on('SIGUSR1', () => process.exit())
}
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-doors-'))
  writeFileSync(join(folder, 'haproxy'), program)
  chmodSync(join(folder, 'haproxy'), 0o755)
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH'] ?? ''}`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

it('a port that cannot be taken back is one at which nobody listens, until a changed setting starts another HAProxy', async () => {
  await using stack = new AsyncDisposableStack()
  const stranger = createServer().listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  stack.defer(() => void stranger.close())
  const { exchanges } = stack.use(await gatewayOn(systemClock, { routes: [], dataPlane: 'builtin' }))
  const { port: traffic } = stranger.address() as AddressInfo
  const configOf = (more: object) =>
    gatewayConfiguration.parse({ ...{ ports: { traffic }, bind: '127.0.0.1', dataPlane: 'haproxy' }, ...more })
  const lost = Promise.withResolvers<void>()
  const log = { ...silentLog, error: (_facts: unknown, said?: string) => said?.includes('taken back') && lost.resolve() }
  const around = { clock: systemClock, log, tls: undefined, mostPending: 0, metrics: undefined, exchanges }
  const doors = stack.use(new Doors({ ...around, config: configOf({}), onRefused: () => undefined }))
  expect(doors.isListening).toBe(false)
  await doors.listen()
  expect([doors.isListening, doors.state]).toEqual([true, '; HAProxy carries 0 routes'])
  process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL')
  await lost.promise
  expect([doors.isListening, doors.state]).toEqual([false, `; HAProxy ended, and nobody listens at port ${traffic}`])
  await doors.change(configOf({ coldStartHeader: false }))
  expect([doors.isListening, doors.state]).toEqual([true, '; HAProxy carries 0 routes'])
})
