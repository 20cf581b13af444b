// Each kind of trouble with each request for the certificates of webhooks and their configurations, at a first start, at another and under
// way, short and long. A run of this file takes a part of them, `BALLAST_TROUBLES=1/12` by default and 1/1 for all.
import { expect, test } from 'vitest'
import { shareOf } from './long-share.ts'
import { nameOf, outcomeOf, requestsOf, runsOf } from './part-troubles.ts'
import { isOfWebhooks, webhookRows } from './webhook-trouble-rows.ts'

test.each(Object.entries(webhookRows))(
  '%s: nodes are served meanwhile, and what is served is believed in the end',
  { timeout: 7_200_000 },
  async (name, row) => {
    const wrong: string[] = []
    for (const run of shareOf(runsOf(name, row, await requestsOf(row)).filter(isOfWebhooks), '1/12')) {
      const { faults } = await outcomeOf(row, run)
      if (faults.length > 0) wrong.push(`${nameOf(run)}: ${faults.join('; ')}`)
    }
    expect(wrong).toEqual([])
  },
)
