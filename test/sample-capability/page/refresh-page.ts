// The page of the worked example: what is due, and what is still young.
import type { CapabilityPage } from '#dashboard/picture.ts'
import { workloadPath } from '#dashboard/words/links.ts'
import { say } from '#dashboard/words/sentence.ts'
import { refreshes } from '../decision.ts'

const mostRows = 200

export const refreshPage: CapabilityPage = {
  path: 'refresh',
  title: 'Refresh',
  view({ state, nowMs }, viewing) {
    const seen = refreshes(state, nowMs).filter(({ workload }) => viewing.sees(workload.namespace))
    const due = seen.filter(({ outcome }) => outcome === 'due').length
    return {
      title: 'Refresh',
      sentences: [say('refresh-due', `${due} of ${seen.length} Deployments are due for new pods.`, { due, of: seen.length })],
      tables: [
        {
          name: 'deployments',
          title: 'Deployments',
          columns: [
            { title: 'Deployment', isNumber: false },
            { title: 'Outcome', isNumber: false },
            { title: 'Hours', isNumber: true },
          ],
          rows: seen.slice(0, mostRows).map(({ workload, outcome, oldestMs }) => ({
            key: `${workload.namespace}/${workload.name}`,
            cells: [`${workload.namespace}/${workload.name}`, outcome, Math.floor((nowMs - oldestMs) / 3_600_000)],
            path: workloadPath(workload),
          })),
          total: seen.length,
          empty: 'No Deployment asks for it.',
        },
      ],
    }
  },
}
