import { expect, test } from 'vitest'
import { resultOf } from './plan-result.ts'

type Outcome = 'met' | 'not-met'
type State = 'met' | 'missed' | 'unknown'

const ids = ['m01', 'm02', 'm03', 'm04', 'm05']

function plan(states: string, foretold: Outcome | undefined): Parameters<typeof resultOf>[0] {
  const words = {
    l: ['Landed'],
    s: ['Skipped', 'CoolDown'],
    c: ['Skipped', 'OverCap'],
    f: ['Failed', 'ReplacementPending'],
  } as const
  const moves = ids.slice(0, states.length).map(id => ({ id }))
  const steps = moves.flatMap(({ id }, at) => {
    const [state, reason] = words[states[at] as keyof typeof words] ?? []
    return state === undefined ? [] : [{ id, state, ...(reason === undefined ? {} : { reason }) }]
  })
  const goals = foretold === undefined ? [] : [{ name: 'light', outcome: foretold, message: '' }]
  return { spec: { moves }, status: { steps, goals } }
}

// biome-ignore format: a table
test.each<[string, string, Outcome | undefined, State, string | undefined, string, string]>([
  ['every move landed, the goal is met',            'll',    'met',     'met',    undefined,  'Succeeded',  '2 of 2 moves landed; all goals are met'],
  ['... nothing foretold it, and it is missed',     'll',    'not-met', 'missed', undefined,  'Succeeded',  '2 of 2 moves landed; not met: light'],
  ['... it was foretold, and it is missed',         'll',    'met',     'missed', undefined,  'Incomplete', '2 of 2 moves landed; not met: light'],
  ['... a plan of before says nothing of goals',    'll',    undefined, 'missed', undefined,  'Succeeded',  '2 of 2 moves landed; not met: light'],
  ['nobody measured the goal',                      'll',    'met',     'unknown', undefined, 'Succeeded',  '2 of 2 moves landed; no goal is missed; not measured: light'],
  ['none of the moves landed',                      'ss',    'met',     'missed', undefined,  'Incomplete', '0 of 2 moves landed, 2 left out (CoolDown: m01, m02); not met: light'],
  ['one was left out, and the goal is met',         'ls',    'met',     'met',    undefined,  'Incomplete', '1 of 2 moves landed, 1 left out (CoolDown: m02); all goals are met'],
  ['by several reasons, of which some are named',   'csss-', 'met',     'missed', undefined,  'Incomplete', '0 of 5 moves landed, 5 left out (OverCap: m01; CoolDown: m02, m03, m04; NotBegun: m05); not met: light'],
  ['many by one reason',                            'sssss', 'met',     'missed', undefined,  'Incomplete', '0 of 5 moves landed, 5 left out (CoolDown: m01, m02, m03 and 2 more); not met: light'],
  ['it was ended early',                            'lf',    'met',     'missed', 'm02 hangs', 'Failed',    'm02 hangs; 1 of 2 moves landed; not met: light'],
])('%s', (_name, states, foretold, state, failure, phase, message) => {
  const result = resultOf(plan(states, foretold), [{ goal: 'light', state }], { failure })
  expect([result.phase, result.message]).toEqual([phase, message])
})

test('what is not known of its end makes a plan incomplete', () => {
  const { phase, message } = resultOf(plan('ll', 'met'), [{ goal: 'light', state: 'met' }], { doubt: 'nobody answers' })
  expect(`${phase}: ${message}`).toBe('Incomplete: nobody answers; 2 of 2 moves landed; all goals are met')
})
