// The Lease is renewed around each model that is solved, alone or in a session. Time stands while the solver works, and not while the
// Lease is renewed: a renewal that is never answered ends by its deadline.
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { Solution, Solve, SolveOnce } from '#planning/solving/solve.ts'
import { renewingSolve } from './renewing-solve.ts'

const solution: Solution = { stages: [], peakKilobytes: 7 }
const [model, options]: [Parameters<SolveOnce>[0], Parameters<SolveOnce>[1]] = [
  { columns: [], rows: [], objectives: new Map() },
  { stages: [] },
]
const { signal } = new AbortController()

function recorded(isLost = false) {
  const said: string[] = []
  const clock = new VirtualClock(0)
  const held = () => (clock.isHeld ? ', time stands' : '')
  const once: SolveOnce = async () => {
    said.push(`solve${held()}`)
    return solution
  }
  const session = () => ({ solve: once, [Symbol.dispose]: () => void said.push('end') })
  const inner: Solve = Object.assign((...given: Parameters<SolveOnce>) => once(...given), { session })
  const refresh = async () => {
    said.push(`refresh${held()}`)
    if (isLost) throw new Error('held by another')
  }
  return { said, inner, solve: renewingSolve(inner, { refresh }, clock) }
}

test('before and after a model', async () => {
  const { said, solve } = recorded()
  expect(await solve(model, options, signal)).toBe(solution)
  expect(said).toEqual(['refresh', 'solve, time stands', 'refresh'])
})

test('in a session too, which ends as the inner one', async () => {
  const { said, solve } = recorded()
  {
    using session = solve.session?.()
    expect(await session?.solve(model, options, signal)).toBe(solution)
  }
  expect(said).toEqual(['refresh', 'solve, time stands', 'refresh', 'end'])
})

test('a solver without sessions stays one', () => {
  const { inner } = recorded()
  const plain: Solve = (...given) => inner(...given)
  expect(renewingSolve(plain, { refresh: () => Promise.resolve() }, new VirtualClock(0)).session).toBeUndefined()
})

test('nothing is solved for who leads no more', async () => {
  const { said, solve } = recorded(true)
  await expect(solve(model, options, signal)).rejects.toThrow('held by another')
  expect(said).toEqual(['refresh'])
})
