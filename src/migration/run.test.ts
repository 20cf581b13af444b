import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { StatusError, statusBody } from '#kube/objects/status.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { no, yes } from '#upstreams/proof.ts'
import { replaceable } from '#upstreams/upstreams.ts'
import { MigrationRecord } from './record.ts'
import { runSteps, type StepResult } from './run.ts'
import { type Step, StepFailed, type Swap } from './step.ts'

const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
let twin: Twin
let api: Api

beforeAll(async () => {
  twin = await startTwin({ clock, seed: 1, objects: [] })
  api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'ballast-test' })
})
afterAll(() => twin.stop())

interface Ran {
  readonly results: readonly StepResult[]
  readonly error: unknown
  readonly done: readonly string[]
}

async function ran(step: Partial<Step>, component: string, signal = new AbortController().signal): Promise<Ran> {
  const [upstream] = replaceable()
  if (upstream === undefined) throw new Error('nothing is replaced')
  const common = { api, clock, component, namespace: 'default', holder: 'a test' }
  const record = await MigrationRecord.read({ ...common, signal: new AbortController().signal })
  await record.take('forth')
  await record.write({ done: ['install'] })
  const around = { allowLossy: false, forgetRelease: false, tell: () => undefined }
  const swap: Swap = { api, clock, capabilities: enabledCapabilities, signal, upstream, record, ...around }
  const words = { id: 'switch', title: '', command: '', proof: '', undo: '' }
  const whole: Step = { ...words, prove: async () => no('not yet'), run: async () => undefined, ...step }
  const results: StepResult[] = []
  let error: unknown
  let isOver = false
  const run = runSteps([whole], swap, { kind: 'all' }, result => results.push(result)).catch(thrown => {
    error = thrown
  })
  run.finally(() => {
    isOver = true
  })
  await clock.runUntil(() => isOver, { limitMs: 3_600_000 })
  return { results, error, done: record.content.done }
}

const failing = (code: number) => new StatusError(statusBody(code, 'etcdserver: request timed out'))

test.each<[string, Error, string]>([
  ['a step that failed', new StepFailed('somebody woke it'), 'somebody woke it'],
  ['a server that fails', failing(500), 'etcdserver: request timed out'],
  ['a write that is denied', failing(403), 'etcdserver: request timed out'],
  ['what is broken here, with its place', new TypeError('x is undefined'), 'run.test.ts'],
])('a step in the middle is put back after %s, and the error is told', async (_name, thrown, told) => {
  let reverted = 0
  const { results, error, done } = await ran(
    {
      run: () => Promise.reject(thrown),
      revert: async () => {
        reverted++
      },
      reverts: ['install'],
    },
    `fails-${thrown.name.toLowerCase()}-${told.length}-${thrown instanceof StatusError ? thrown.code : 0}`,
  )
  expect([error, reverted, done]).toEqual([undefined, 1, []])
  expect(results).toMatchObject([{ id: 'switch', state: 'reverted', said: expect.stringContaining(told) }])
})

test('a server that fails while a proof is awaited is asked again', async () => {
  let asked = 0
  const prove = async () => {
    if (++asked === 2) throw failing(500)
    return asked > 2 ? yes('it is so') : no('not yet')
  }
  const { results } = await ran({ prove, patienceMs: 10_000, revert: () => Promise.reject(new Error('no')) }, 'awaited')
  expect(results).toMatchObject([{ state: 'done', said: 'it is so' }])
})

test('what denies the way back, too, is tried again for a while, and told where it stays', async () => {
  let tries = 0
  const revert = async () => {
    if (++tries < 5) throw failing(503)
  }
  const run = () => Promise.reject(failing(500))
  expect((await ran({ run, revert, reverts: ['install'] }, 'some-time')).results).toMatchObject([{ state: 'reverted' }])
  expect(tries).toBe(5)
  const { results, done } = await ran({ run, revert: () => Promise.reject(failing(503)), reverts: ['install'] }, 'for-good')
  expect(results).toMatchObject([
    { state: 'failed', said: expect.stringMatching(/timed out; and it could not be put back: .*timed out/) },
  ])
  expect(done).toEqual(['install'])
})

test.each<[string, string, Error, boolean]>([
  ['this process ends', 'ends', failing(500), true],
  ['somebody else is at it', 'held', new CommandRefused('ann is at this migration'), false],
])('where %s nothing is written any more', async (_name, component, thrown, isEnding) => {
  const death = new AbortController()
  let reverted = 0
  const step: Partial<Step> = {
    run: async () => {
      if (isEnding) death.abort(new Error('stopped'))
      throw thrown
    },
    revert: async () => {
      reverted++
    },
  }
  const { results, error } = await ran(step, component, death.signal)
  expect([results, reverted, error]).toEqual([[], 0, thrown])
})
