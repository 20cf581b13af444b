import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { deschedule } from '#capabilities/deschedule'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { type Capability, capability } from '#coordination/capability.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { until } from '../../../test/controller-process.ts'
import { ConfigurationFile } from './configuration-file.ts'
import { enabling } from './controller-configuration.ts'
import type { Reload } from './controller-settings.ts'

const head = 'apiVersion: ballast.dev/v1alpha1\nkind: BallastConfiguration\n'

/** One that replaces an upstream, with a key of its own. */
const reload: Capability = capability({
  name: 'reload',
  config: z.strictObject({ debounce: z.string().default('2s') }),
  kinds: [],
  replaces: [{ upstream: 'Reloader', leases: ['stakater-reloader-lock'] }],
  disrupts: ['restart'],
  parts: [],
  leaves: [],
})
const capabilities = [deschedule, reload]

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'ballast-configuration-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

function opened(path: string | undefined, clock = new VirtualClock(0)) {
  const file = new ConfigurationFile({ path, overrides: [], capabilities, clock, log: silentLog, notices: false })
  const reloads: Reload[] = []
  file.onReload(one => reloads.push(one))
  return { file, reloads, clock }
}

describe('at the start', () => {
  test('without a file, defaults: what replaces an upstream is off and observes, the rest is on and enforced', () => {
    using file = opened(undefined).file
    expect(file.current).toMatchObject({
      arbiter: { freeze: false, mergeWindowMs: 60_000, modes: { deschedule: 'enforce', reload: 'observe' } },
      ownerLabel: defaultOwnerLabel,
      capabilities: {
        deschedule: { isEnabled: true, config: { arbitration: 'enforce' } },
        reload: { isEnabled: false, config: { debounce: '2s' }, guardLease: { enabled: true } },
      },
    })
  })

  test('what the file says holds', () => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(
      path,
      `${head}arbiter: {freeze: maintenance, mergeWindow: 2m}\ncapabilities: {reload: {enabled: true, arbitration: coordinate, debounce: 5s}}\n`,
    )
    using file = opened(path).file
    expect(file.current).toMatchObject({
      arbiter: { freeze: 'maintenance', mergeWindowMs: 120_000, modes: { reload: 'coordinate' } },
      capabilities: { reload: { isEnabled: true, config: { debounce: '5s' } } },
    })
  })

  test('--enable wins over the file', () => {
    const overrides = enabling('reload', capabilities)
    using file = new ConfigurationFile({ path: undefined, overrides, capabilities, clock: new VirtualClock(0), log: silentLog })
    expect(file.current.capabilities['reload']?.isEnabled).toBe(true)
  })

  test('--enable of what there is not', () => {
    expect(() => enabling('relod,deschedule', capabilities)).toThrow(
      '--enable: found "relod", expected a capability; did you mean "reload"? [unknown-key]',
    )
  })

  test('every problem is told', () => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(path, `${head}arbitr: {}\narbiter: {freeze: 1}\ncapabilities: {deschedule: {arbitration: enfore}}\n`)
    const problems = () => {
      try {
        opened(path).file[Symbol.dispose]()
        return []
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        return error.problems.map(({ where, expected }) => `${where.slice(at.path.length + 1)}: ${expected}`)
      }
    }
    expect(problems()).toEqual([
      'config.yaml: a known key; did you mean "arbiter"?',
      'config.yaml: arbiter: freeze: a boolean or a string',
      'config.yaml: capabilities.deschedule: arbitration: one of "observe", "coordinate", "enforce"; did you mean "enforce"?',
    ])
  })

  test('a file that is not there', () => {
    expect(() => opened('nowhere/config.yaml')).toThrow('nowhere/config.yaml: found "ENOENT')
  })
})

describe('a changed file', () => {
  test('holds once it is settled; what needs another process is named and stays', async () => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(path, head)
    const { file, reloads, clock } = opened(path)
    using _file = file
    file.watch()
    writeFileSync(
      path,
      `${head}arbiter: {freeze: true, ownerLabel: a/b, ownerValues: {none: hands-off}}\nprocess: {logLevel: debug, kubeApiQPS: 5}\n`,
    )
    await clock.advance(10_600)
    expect(reloads).toEqual([
      { kind: 'applied', needRestart: ['process.logLevel', 'process.kubeApiQPS', 'arbiter.ownerLabel', 'arbiter.ownerValues'] },
    ])
    expect([file.current.arbiter.freeze, file.current.ownerLabel]).toEqual([true, defaultOwnerLabel])
  })

  // biome-ignore format: a table
  test.each([
    ['with an unknown key', `${head}arbiter: {freze: true}\n`, /found "freze", expected a known key; did you mean "freeze"/],
    ['that is no YAML', `${head}arbiter: {`, /configuration-yaml/],
    ['with one good and one bad section', `${head}arbiter: {freeze: true}\ncapabilities: {reload: {debounce: 1}}\n`, /reload: debounce: found "1", expected a string/],
  ])('%s changes nothing', async (_case, text, expected) => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(path, head)
    const { file, reloads, clock } = opened(path)
    using _file = file
    file.watch()
    const before = file.current
    writeFileSync(path, text)
    await clock.advance(10_600)
    expect(reloads).toEqual([{ kind: 'refused', problems: [expect.stringMatching(expected)] }])
    expect(file.current).toBe(before)
    writeFileSync(path, `${head}arbiter: {freeze: true}\n`)
    await clock.advance(10_600)
    expect([reloads.length, file.current.arbiter.freeze]).toEqual([2, true])
  })

  test('a file that is taken away is refused, and read again when it is back', async () => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(path, `${head}arbiter: {freeze: true}\n`)
    const { file, reloads, clock } = opened(path)
    using _file = file
    file.watch()
    rmSync(path)
    await clock.advance(10_600)
    expect([reloads.map(({ kind }) => kind), file.current.arbiter.freeze]).toEqual([['refused'], true])
    writeFileSync(path, `${head}arbiter: {freeze: false}\n`)
    await clock.advance(10_600)
    expect([reloads.map(({ kind }) => kind), file.current.arbiter.freeze]).toEqual([['refused', 'applied'], false])
  })

  test('the same text again is no change', async () => {
    using at = folder()
    const path = join(at.path, 'config.yaml')
    writeFileSync(path, head)
    const { file, reloads, clock } = opened(path)
    using _file = file
    file.watch()
    writeFileSync(path, head)
    await clock.advance(30_000)
    expect(reloads).toEqual([])
  })
})

test("a ConfigMap's file, which changes by a link beside it, is noticed at once", async () => {
  using at = folder()
  const write = (name: string, text: string) => {
    mkdirSync(join(at.path, name))
    writeFileSync(join(at.path, name, 'config.yaml'), text)
    symlinkSync(name, join(at.path, '..data_tmp'))
    renameSync(join(at.path, '..data_tmp'), join(at.path, '..data'))
  }
  write('..1', head)
  symlinkSync(join('..data', 'config.yaml'), join(at.path, 'config.yaml'))
  const reloads: Reload[] = []
  using file = new ConfigurationFile({
    path: join(at.path, 'config.yaml'),
    overrides: [],
    capabilities,
    clock: systemClock,
    log: silentLog,
  })
  file.onReload(one => reloads.push(one))
  file.watch()
  write('..2', `${head}arbiter: {freeze: true}\n`)
  await until(
    () => 'no notice',
    () => reloads.length > 0,
    60_000,
  )
  expect([reloads, file.current.arbiter.freeze]).toEqual([[{ kind: 'applied', needRestart: [] }], true])
})
