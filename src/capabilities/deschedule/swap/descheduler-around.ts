// What becomes of what upstream's chart makes around its descheduler: rights, account, Service, budget, monitor.

import { converted, dropped, isEmpty, type RowContext, type Step, same, type ValuesRow } from '#upstreams/values-row.ts'
import { carried, descheduler } from './descheduler-options.ts'

/** Why nothing of tokens is carried. */
export const ownToken = 'ours mounts a token of its own, for an hour at a time'
const ofDeployment = "upstream's chart makes it for a Deployment only"

/** Is it a Deployment? */
export const stays = ({ read }: RowContext) => read('kind') === 'Deployment'

/** Rights, account, Service and budget. */
export const around: readonly ValuesRow[] = [
  converted('rbac.create', value =>
    value === false
      ? [{ kind: 'lost', why: 'ours makes the roles of all its accounts, or with rbac.create: false of none' }]
      : [{ kind: 'dropped', why: 'ours makes its roles, too' }],
  ),
  same('serviceAccount.create', descheduler('serviceAccount.create')),
  converted('serviceAccount.name', (value, { read }) => {
    if (isEmpty(value)) return []
    return read('serviceAccount.create') === false
      ? carried('serviceAccount.name', value)
      : [{ kind: 'dropped', why: "while both are installed an account of ours may not have upstream's name" }]
  }),
  same('serviceAccount.annotations', descheduler('serviceAccount.annotations')),
  dropped('serviceAccount.automountServiceAccountToken', ownToken, { since: '0.34.0' }),
  ...['enabled', 'ipFamilyPolicy', 'ipFamilies'].map(key =>
    converted(`service.${key}`, (value, context) => {
      if (isEmpty(value)) return []
      return stays(context) ? carried(`service.${key}`, value) : [{ kind: 'dropped', why: ofDeployment }]
    }),
  ),
  ...['enabled', 'minAvailable', 'maxUnavailable', 'unhealthyPodEvictionPolicy', 'annotations'].map(key =>
    converted(`podDisruptionBudget.${key}`, (value, context) => (isEmpty(value) ? [] : budgetSteps(key, value, context)), {
      since: '0.37.0',
    }),
  ),
]

function budgetSteps(key: string, value: unknown, context: RowContext): readonly Step[] {
  if (!stays(context)) return [{ kind: 'dropped', why: ofDeployment }]
  // Upstream's own default beside what somebody chose.
  const isBeside = key === 'minAvailable' && !isEmpty(context.read('podDisruptionBudget.maxUnavailable'))
  if (isBeside) return [{ kind: 'dropped', why: 'a budget has one of the two: maxUnavailable' }]
  return carried(`podDisruptionBudget.${key}`, value)
}

const monitor = (key: string, carry: (value: unknown) => readonly Step[], since?: string): ValuesRow =>
  converted(
    `serviceMonitor.${key}`,
    (value, context) => {
      if (isEmpty(value)) return []
      return stays(context) ? carry(value) : [{ kind: 'dropped', why: ofDeployment }]
    },
    since === undefined ? {} : { since },
  )

const shared =
  (key: string) =>
  (value: unknown): readonly Step[] => [
    JSON.stringify(value).includes('{{')
      ? { kind: 'lost', why: 'templates in it are not filled in by ours: write it out' }
      : { kind: 'carried', to: `metrics.serviceMonitor.${key}`, value },
  ]

/** Values of Prometheus' operator. */
export const monitoring: readonly ValuesRow[] = [
  monitor('enabled', value => [
    { kind: 'carried', to: 'metrics.serviceMonitor.enabled', value, why: "with one for Ballast's controller, too" },
  ]),
  ...['namespace', 'interval', 'relabelings', 'metricRelabelings'].map(key => monitor(key, shared(key))),
  monitor('additionalLabels', shared('labels')),
  converted('serviceMonitor.insecureSkipVerify', value => carried('serviceMonitor.insecureSkipVerify', value === true)),
  monitor('serverName', value => carried('serviceMonitor.serverName', value)),
  dropped('serviceMonitor.honorLabels', "upstream's template makes it true, as ours"),
  converted(
    'serviceMonitor.apiVersion',
    value =>
      isEmpty(value) || value === 'monitoring.coreos.com/v1'
        ? [{ kind: 'dropped', why: 'ours is so' }]
        : [
            {
              kind: 'lost',
              why: `found ${JSON.stringify(value)}: ours is of monitoring.coreos.com/v1; write yours into extraObjects`,
            },
          ],
    { since: '0.36.0' },
  ),
]
