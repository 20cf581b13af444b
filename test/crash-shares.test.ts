// Which of many runs with a kill a run of the tests has.
import { afterEach, expect, test, vi } from 'vitest'
import { shareOf } from './crash-harness.ts'

afterEach(() => void vi.unstubAllEnvs())

const share = (said: string | undefined) => {
  vi.stubEnv('BALLAST_KILLS', said)
  return shareOf([1, 2, 3, 4, 5, 6, 7, 8, 9])
}

test.each([
  [undefined, [1]],
  ['1/4', [1, 5, 9]],
  ['2/4', [2, 6]],
  ['4/4', [4, 8]],
  ['1/1', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ['each', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
])('BALLAST_KILLS=%s', (said, expected) => expect(share(said)).toEqual(expected))

test('the shares of a count are all of them, none twice', () => {
  const shares = ['1/4', '2/4', '3/4', '4/4'].flatMap(share)
  expect(shares.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test.each(['half', '0/4', '5/4', '1', '1/0', ''])('%j is refused', said => {
  expect(() => share(said)).toThrow(`BALLAST_KILLS: found ${said}, expected each or a share such as 1/4`)
})
