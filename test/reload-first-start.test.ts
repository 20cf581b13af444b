// A share of the moments of a first start, another each time that its seed is raised; all of them are in the long set.
import { expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { firstStart } from './first-start.ts'

const random = seededRandom(1)
/** Requests at which a first start has said to be there and has not remembered everything yet. */
const moment = () => 22 + Math.floor(random() * 66)

test.each([
  { at: moment(), when: 'before', source: 'keys', fate: 'loses its Lease' },
  { at: moment(), when: 'after', source: 'keys', fate: 'goes on' },
] as const)('$source changes $when request $at of a first start, that $fate: rolled out once', async given => {
  const { isReached, isOurs, rollouts } = await firstStart(given)
  expect({ isReached, isOurs, rollouts }).toEqual({ isReached: true, isOurs: true, rollouts: [1, 0] })
})
