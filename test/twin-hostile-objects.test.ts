// A share of the hostile requests of test/hostile against a twin with all its components; twin-hostile-objects.deep.test.ts has many more.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow } from '../scripts/check/source-tree.ts'
import { onslaught } from './hostile/onslaught.ts'

test.each([7, 1])('whatever is sent, the twin answers and its cluster goes on (seed %i)', async seed => {
  const { findings, answers } = await onslaught({ seed, requests: 200 })
  expect(findings).toEqual([])
  // Nothing is shown by refusals alone.
  expect(answers[2]).toBeGreaterThan(25)
})

test('every program of ours that starts a twin listens to its faults: none of them ends it', () => {
  const root = join(import.meta.dirname, '..')
  const callers = filesBelow(root, 'src').filter(
    path => !/test/.test(path) && path !== 'src/twin/twin.ts' && /\bstartTwin\(/.test(readFileSync(join(root, path), 'utf8')),
  )
  expect(callers.length).toBeGreaterThan(1)
  expect(callers.filter(path => !readFileSync(join(root, path), 'utf8').includes('onTrouble'))).toEqual([])
})
