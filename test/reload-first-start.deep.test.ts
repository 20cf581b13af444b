// A change at every request of the first start, just before and just after, while the process goes on, is killed, or loses its Lease: from
// the moment on at which somebody has said to be there, the workload is rolled out once. A run has a part, `BALLAST_TROUBLES=1/1` all.
import { describe, expect, test } from 'vitest'
import { firstStart } from './first-start.ts'
import { shareOf } from './long-share.ts'

const every = Array.from({ length: 140 }, (_, index) => index + 1)

describe.each(['goes on', 'is killed', 'loses its Lease'] as const)('the process %s', fate => {
  describe.each(['settings', 'keys'] as const)('%s', source => {
    const moments = every.flatMap(at => (['before', 'after'] as const).map(when => ({ at, when })))
    test.each(shareOf(moments, '1/20'))('$when request $at', async ({ at, when }) => {
      const { isReached, isOurs, request, rollouts } = await firstStart({ at, when, source, fate })
      if (!isReached) return
      expect({ request, rollouts: isOurs ? rollouts : [rollouts[0] === 1 ? 0 : rollouts[0], rollouts[1]] }).toEqual({
        request,
        rollouts: isOurs ? [1, 0] : [0, 0],
      })
    })
  })
})

describe('a change during a start that was killed, when what was is asked of a server', () => {
  const moments = [30, 45, 60].flatMap(at => (['settings', 'keys'] as const).map(source => ({ at, source })))

  test.each(moments)('that fails three times: $source at request $at is rolled out once', async ({ at, source }) => {
    const { isOurs, rollouts } = await firstStart({ at, when: 'before', source, fate: 'is killed', past: 'fails' })
    expect({ isOurs, rollouts }).toEqual({ isOurs: true, rollouts: [1, 0] })
  })

  test.each(moments)('that has forgotten: $source at request $at is told', async ({ at, source }) => {
    const { isOurs, rollouts, told } = await firstStart({ at, when: 'before', source, fate: 'is killed', past: 'is forgotten' })
    expect({ isOurs, rollouts }).toEqual({ isOurs: true, rollouts: [0, 0] })
    expect(told).toEqual([expect.stringContaining(source)])
  })
})
