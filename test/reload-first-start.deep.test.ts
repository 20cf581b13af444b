// A change at every request of the first start, just before and just after, while the process goes on, is killed, or loses its Lease: from
// the moment on at which somebody has said to be there, the workload is rolled out once.
import { describe, expect, test } from 'vitest'
import { firstStart } from './first-start.ts'

const every = Array.from({ length: 140 }, (_, index) => index + 1)

describe.each(['goes on', 'is killed', 'loses its Lease'] as const)('the process %s', fate => {
  describe.each(['settings', 'keys'] as const)('%s', source => {
    test.each(every.flatMap(at => (['before', 'after'] as const).map(when => ({ at, when }))))(
      '$when request $at',
      async ({ at, when }) => {
        const { isReached, isOurs, request, rollouts } = await firstStart({ at, when, source, fate })
        if (!isReached) return
        expect({ request, rollouts: isOurs ? rollouts : [rollouts[0] === 1 ? 0 : rollouts[0], rollouts[1]] }).toEqual({
          request,
          rollouts: isOurs ? [1, 0] : [0, 0],
        })
      },
    )
  })
})
