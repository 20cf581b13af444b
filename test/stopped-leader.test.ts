// A leader that is stopped (SIGSTOP) for longer than its Lease while its effects wait for the client's bucket, a token, a free connection, or a
// second try after a 401: what had not left when it stopped never leaves. `npm run test:deep` has 240 stops.
import { expect, test } from 'vitest'
import { stopLeaders } from './stopped-leader.ts'

test.each([
  ['http', false, [1, 2, 3, 4]],
  ['https', true, [5, 6, 7, 8]],
])(
  'nothing of a stopped leader arrives once its successor has withdrawn it (%s)',
  { timeout: 60_000 },
  async (_, isTls, seeds) => {
    const { violations, done, notSent, others } = await stopLeaders({ seeds, isTls, isGuarded: true })
    expect(violations).toEqual([])
    expect(others).toEqual([])
    expect(done).toBeGreaterThan(0)
    expect(notSent).toBeGreaterThan(0)
  },
)

test('the judge sees what arrives too late', { timeout: 60_000 }, async () => {
  const { violations } = await stopLeaders({ seeds: [1, 2], isTls: false, isGuarded: false })
  expect(violations).not.toEqual([])
})
