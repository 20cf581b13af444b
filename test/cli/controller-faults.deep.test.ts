// A real `ballast controller` against a twin over HTTPS, in which something goes wrong that no part owns.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../../src/process/enabled-capabilities.ts'
import { tokenKubeconfig, until } from '../controller-process.ts'
import { smallCluster } from '../small-cluster.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const namespace = 'ballast-system'

/** Something in the process that nobody of ours started: it breaks when it gets the signal. */
const stranger = `process.on('SIGUSR2', () => setImmediate(() => { throw new Error('nobody owns this') }))
setInterval(() => undefined, 1000)
`

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

test('the process ends in order with code 1, its parts stopped and its Lease given back', async () => {
  await using twin = await startTwin({
    clock: systemClock,
    seed: 1,
    objects: smallCluster(),
    listen: { port: 0, bind: '127.0.0.1' },
  })
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  const { signal } = new AbortController()
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 3_600, signal })
  using kubeconfig = tokenKubeconfig(await twin.kubeconfig(), token)
  const preload = join(dirname(kubeconfig.file), 'stranger.mjs')
  writeFileSync(preload, stranger)
  const address = `127.0.0.1:${await freePort()}`
  const flags = ['--kubeconfig', kubeconfig.file, '--install-crds', 'never', '--health-probe-bind-address', address]
  const args = ['--import', preload, program, 'controller', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'], env: { PATH: process.env['PATH'] } })
  const lines: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push(text))
  const ended = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)))
  const holder = () =>
    (twin.access.list('leases.coordination.k8s.io') as readonly Lease[]).find(
      ({ metadata }) => metadata.name === 'ballast-controller',
    )?.spec?.holderIdentity
  try {
    const get = async (path: string) => {
      const response = await fetch(`http://${address}${path}`, { headers: { connection: 'close' } })
      return `${response.status} ${await response.text()}`
    }
    // Parts that are always there start before it leads.
    const isLeading = () => lines.some(line => line.includes('part started') && line.includes('"deschedule/controller"'))
    await until(() => lines.join(''), isLeading, 120_000)
    expect(holder()).not.toBe('')
    expect(await get('/livez?verbose')).toBe('200 [+]event-loop ok\n[+]lease ok\nlivez check passed\n')
    expect(await get('/readyz')).toBe('200 ok')
    expect(await get('/readyz/deschedule?verbose')).toMatch(/^200 \[\+\]deschedule-controller ok: running\n/)
    const scraped = await get('/metrics')
    expect(scraped).toContain('ballast_part_state{capability="deschedule",part="controller",state="running"} 1')
    for (const name of [
      'ballast_build_info',
      'ballast_arbiter_oldest_permit_seconds',
      'ballast_config_reloads_total',
      'nodejs_eventloop_lag_seconds',
    ])
      expect(scraped).toMatch(new RegExp(`^${name}`, 'm'))
    child.kill('SIGUSR2')
    expect(await ended).toBe(1)
    expect(holder()).toBe('')
    expect(lines.join('')).toContain('a fault without an owner: the process ends in order')
    expect(lines.join('')).toContain('nobody owns this')
  } finally {
    child.kill('SIGKILL')
  }
})
