import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import type { StoreHealth } from './contract.ts'
import type { HostsFileFact } from './node-files/hosts-check.ts'
import { lookAtHostsFiles } from './node-files/hosts-look.ts'
import { SelfCheck } from './self-check.ts'
import { digestOf } from './testdata/memory-store.ts'

const good: HostsFileFact = { path: '_default/hosts.toml', content: "[host.'http://10.0.0.7:29999']" }
const bad: HostsFileFact = { path: '_default/hosts.toml', content: "[host.'http://10.0.0.7:5000']" }

function scene(seesEveryPull = true) {
  const clock = new VirtualClock(1_000)
  const state: {
    files: readonly HostsFileFact[] | undefined
    edits: { edited: readonly string[]; kept: readonly string[] } | undefined
    problems: StoreHealth['problems']
  } = {
    edits: undefined,
    files: [good],
    problems: [],
  }
  const lines: string[] = []
  const check = new SelfCheck({
    store: { health: () => ({ isUp: true, version: '2.1.9', problems: state.problems }) },
    hostsFiles: async () => state.files,
    edits: async () => state.edits,
    served: () => ({ addresses: ['10.0.0.7'], ports: [29_999] }),
    seesEveryPull,
    clock,
    log: { ...silentLog, info: (_, message) => lines.push(message), warn: (_, message) => lines.push(message) },
  })
  return { clock, state, lines, check }
}

test('hosts files are looked at again; what changes is logged, and once', async () => {
  const { state, check, lines, clock } = scene()
  const stop = new AbortController()
  const running = check.run(stop.signal)
  await clock.quiet()
  expect([check.troubles(), lines]).toEqual([[], []])
  state.files = [bad]
  await clock.advance(600_000)
  await clock.advance(600_000)
  expect(check.troubles()).toEqual([
    { reason: 'ConfigurationMissing', message: expect.stringContaining('_default/hosts.toml: it names 10.0.0.7:5000') },
  ])
  // They cannot be read any more: nothing is claimed of them.
  state.files = undefined
  await clock.advance(600_000)
  expect(check.troubles()).toEqual([])
  expect(lines).toEqual(['the mirror is of little use to this node', 'nothing keeps containerd from asking the mirror any more'])
  stop.abort()
  await running
})

test('a pull that comes past us is a trouble until containerd asks', async () => {
  const { check, clock } = scene()
  check.pulled('ghcr.io/acme/app:v1')
  expect(check.troubles()).toEqual([])
  await clock.advance(600_000)
  check.pulled('ghcr.io/acme/app:v2')
  expect(check.troubles()).toEqual([{ reason: 'ConfigurationMissing', message: expect.stringContaining('ghcr.io/acme/app:v2') }])
  check.asked()
  expect(check.troubles()).toEqual([])
  const { check: other, clock: later } = scene(false)
  await later.advance(600_000)
  other.pulled('ghcr.io/acme/app:v2')
  expect(other.troubles()).toEqual([])
})

test('what others changed of our files is told after all else, and logged as what it is', async () => {
  const { check, state, lines } = scene()
  state.edits = { edited: [], kept: [] }
  await check.look()
  expect(check.troubles()).toEqual([])
  state.edits = { edited: ['_default/hosts.toml'], kept: ['2026-11-22T08-33-24Z/ghcr.io/hosts.toml'] }
  await check.look()
  await check.look()
  const message =
    'others changed _default/hosts.toml: the next start of the agent keeps that aside and writes ours; what others had written is kept in _backup/_kept (2026-11-22T08-33-24Z/ghcr.io/hosts.toml): take it over, or delete it'
  expect([check.troubles(), lines]).toEqual([[{ reason: 'HostsFilesEdited', message }], [message]])
  state.problems = [{ reason: 'LayersDiscarded', message: 'thrown away' }]
  expect(check.troubles().map(({ reason }) => reason)).toEqual(['LayersDiscarded', 'HostsFilesEdited'])
})

test('case 16: poisoned content is told, and what containerd itself says comes first', () => {
  const { check, state } = scene()
  state.problems = [{ reason: 'LayersDiscarded', message: 'thrown away' }]
  check.poisoned({ digest: digestOf('x'), registry: 'ghcr.io', repository: 'acme/app', peers: ['P1'] })
  expect(check.document()).toEqual({
    instance: '1000',
    problems: state.problems,
    events: [
      {
        number: 1,
        reason: 'PoisonedBlob',
        message: `${digestOf('x')} of ghcr.io/acme/app: bytes of P1 do not match it; nothing wrong was passed on`,
        atMs: 1_000,
      },
    ],
  })
  for (let at = 0; at < 100; at++) check.poisoned({ digest: digestOf('x'), registry: '', repository: '', peers: ['P1'] })
  const { events } = check.document()
  expect([events.length, events[0]?.number, events.at(-1)?.number]).toEqual([64, 38, 101])
})

test('of the directory files are read, and directories without one counted; nothing is claimed of one that is not there', async () => {
  const root = await temporaryDirectory()
  expect(await lookAtHostsFiles(join(root, 'none'), silentLog)).toBeUndefined()
  for (const name of ['_default', 'ghcr.io', '_backup.ballast-new']) await mkdir(join(root, name))
  await writeFile(join(root, '_default/hosts.toml'), 'x')
  await writeFile(join(root, 'a-file'), 'x')
  expect(await lookAtHostsFiles(root, silentLog)).toEqual([
    { path: '_default/hosts.toml', content: 'x' },
    { path: 'ghcr.io/hosts.toml', content: '' },
  ])
})
