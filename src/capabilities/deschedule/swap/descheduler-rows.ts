// What becomes of each key of the chart `descheduler`, 0.33.0 to 0.36.0 and the line after it: the table of `ballast migrate values --from
// descheduler`.
import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import { converted, dropped, isEmpty, same, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { around, monitoring, ownToken, stays } from './descheduler-around.ts'
import { carried, descheduler, durationSteps, optionSteps } from './descheduler-options.ts'
import { policySteps, versionSteps } from './descheduler-policy.ts'

/** Charts whose keys are recorded, the newest last; `0.37` is the unreleased line after 0.36. */
export const deschedulerVersions: readonly string[] = ['0.33.0', '0.34.0', '0.35.0', '0.35.1', '0.36.0', '0.37.0']

const oneImage = 'Ballast is one image of its own'
const ownNames = "upstream's objects keep their names until they are removed; ours have their own"

/** Row of the same name in ours; left out where upstream's template leaves it out. */
const unlessEmpty = (key: string, options: { readonly since?: string } = {}): ValuesRow =>
  converted(key, value => (isEmpty(value) || value === 0 ? [] : carried(key, value)), options)

const naming: readonly ValuesRow[] = [
  ...['repository', 'tag'].map(key => dropped(`image.${key}`, oneImage)),
  same('image.pullPolicy', 'image.pullPolicy'),
  converted('imagePullSecrets', value => (isEmpty(value) ? [] : [{ kind: 'carried', to: 'imagePullSecrets', value }])),
  dropped('nameOverride', ownNames),
  dropped('fullnameOverride', ownNames),
  dropped('namespaceOverride', "ours lies in Ballast's own namespace"),
  same('commonLabels', 'commonLabels'),
]

const scheduling: readonly ValuesRow[] = [
  converted(
    'kind',
    value =>
      value === 'CronJob' || value === 'Deployment'
        ? carried('kind', value)
        : [
            {
              kind: 'lost',
              why: `found ${JSON.stringify(value)}, expected CronJob or Deployment: with others upstream runs nothing`,
            },
          ],
    { upstreamDefault: 'CronJob' },
  ),
  converted('cronJobApiVersion', value =>
    value === 'batch/v1'
      ? [{ kind: 'dropped', why: 'ours is so' }]
      : [{ kind: 'dropped', why: 'it is batch/v1 on every cluster of today' }],
  ),
  same('schedule', descheduler('schedule')),
  same('suspend', descheduler('suspend')),
  unlessEmpty('timeZone'),
  unlessEmpty('startingDeadlineSeconds'),
  same('successfulJobsHistoryLimit', descheduler('successfulJobsHistoryLimit')),
  same('failedJobsHistoryLimit', descheduler('failedJobsHistoryLimit')),
  unlessEmpty('ttlSecondsAfterFinished'),
  unlessEmpty('activeDeadlineSeconds', { since: '0.34.0' }),
  ...['cronJobLabels', 'jobAnnotations', 'jobLabels'].map(key => unlessEmpty(key, { since: '0.34.0' })),
  ...(['Deployment', 'CronJob'] as const).map(kind => {
    const key = kind === 'Deployment' ? 'deploymentAnnotations' : 'cronJobAnnotations'
    return converted(
      key,
      (value, { read }) => {
        if (isEmpty(value)) return []
        return read('kind') === kind ? carried('annotations', value) : [{ kind: 'dropped', why: `it is of a ${kind}` }]
      },
      { since: '0.34.0' },
    )
  }),
  converted('deschedulingInterval', value => durationSteps('interval', value)),
  converted('replicas', (value, context) => {
    const count = Number(value)
    if (!stays(context)) return [{ kind: 'dropped', why: 'it is of a Deployment' }]
    if (!(count > 1)) return [{ kind: 'dropped', why: "upstream's chart runs one, as ours" }]
    return context.read('leaderElection.enabled') === true
      ? carried('replicas', count)
      : [{ kind: 'lost', why: `${count} replicas without leaderElection.enabled: upstream's chart refuses it, as ours does` }]
  }),
]

const election: readonly ValuesRow[] = [
  same('leaderElection.enabled', descheduler('leaderElection.enabled')),
  ...['leaseDuration', 'renewDeadline', 'retryPeriod'].map(key =>
    converted(`leaderElection.${key}`, value => (isEmpty(value) ? [] : durationSteps(`leaderElection.${key}`, value))),
  ),
  converted('leaderElection.resourceLock', value =>
    isEmpty(value) || value === 'leases'
      ? [{ kind: 'dropped', why: 'it is a Lease always' }]
      : [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected leases: upstream does not start with it` }],
  ),
  converted('leaderElection.resourceName', value => (isEmpty(value) ? [] : carried('leaderElection.resourceName', value))),
  converted('leaderElection.resourceNamespace', (value, { read }) => {
    if (isEmpty(value)) return []
    return isEmpty(read('leaderElection.resourceNamescape'))
      ? carried('leaderElection.resourceNamespace', value)
      : [{ kind: 'dropped', why: "upstream's chart takes resourceNamescape first" }]
  }),
  converted('leaderElection.resourceNamescape', value =>
    isEmpty(value) ? [] : carried('leaderElection.resourceNamespace', value, 'the key is misspelt in upstream’s chart'),
  ),
]

const behaviour: readonly ValuesRow[] = [
  converted('deschedulerPolicy', (value, context) => policySteps(value, context)),
  converted('deschedulerPolicyAPIVersion', versionSteps),
  converted('cmdOptions', value => {
    if (!isTree(value)) return [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected a map of flags` }]
    return Object.entries(value).flatMap(([name, inner]) =>
      // Helm takes a default away by null.
      name === 'v' && inner === null ? carried('verbosity', 0) : optionSteps(name, inner),
    )
  }),
  converted('command', value =>
    JSON.stringify(value) === '["/bin/descheduler"]'
      ? [{ kind: 'dropped', why: 'ours is called so, too' }]
      : [{ kind: 'lost', why: 'ours begins its own program' }],
  ),
]

/** What the containers of upstream's chart say, and ours as well. */
const tight: Readonly<Record<string, unknown>> = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: 1000,
}

const pods: readonly ValuesRow[] = [
  ...['nodeSelector', 'affinity', 'topologySpreadConstraints', 'tolerations', 'podAnnotations', 'podLabels', 'dnsConfig'].map(
    key => unlessEmpty(key),
  ),
  unlessEmpty('initContainers', { since: '0.35.1' }),
  same('priorityClassName', descheduler('priorityClassName')),
  same('livenessProbe', descheduler('livenessProbe')),
  converted('resources', value =>
    isEmpty(value)
      ? []
      : [
          {
            kind: 'dropped',
            why: `${JSON.stringify(value)} was measured for upstream; ours asks for 100m and 192Mi with a limit of 512Mi (descheduler.resources)`,
          },
        ],
  ),
  converted('ports', value =>
    JSON.stringify(value) === '[{"containerPort":10258,"protocol":"TCP"}]'
      ? [{ kind: 'dropped', why: 'it is the port of ours, too' }]
      : [{ kind: 'lost', why: 'ours serves on 10258' }],
  ),
  converted('securityContext', value => {
    const said = isTree(value)
      ? Object.entries(value).filter(([key, inner]) => JSON.stringify(tight[key]) !== JSON.stringify(inner))
      : []
    return said.length === 0
      ? [{ kind: 'dropped', why: 'ours is so already' }]
      : carried('securityContext', Object.fromEntries(said))
  }),
  unlessEmpty('podSecurityContext'),
  dropped('automountServiceAccountToken', ownToken, { since: '0.34.0' }),
  ...['extraServiceAccountVolumes', 'extraServiceAccountVolumeMounts'].map(key => dropped(key, ownToken, { since: '0.34.0' })),
]

/** Every key of every supported chart has a row here, by itself or by one above it: held by a test against the recorded lists of keys. */
export const deschedulerRows: readonly ValuesRow[] = [
  ...naming,
  ...scheduling,
  ...election,
  ...behaviour,
  ...pods,
  ...around,
  ...monitoring,
]

/** Values of ours, by which the same policy runs at the same times. */
export function convertDescheduler(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues {
  const done = convertValues({ rows: deschedulerRows, ...input, start: { descheduler: { enabled: true } } })
  if (input.values['deschedulerPolicy'] !== null) return done
  const why = 'the release has no policy of its own and reads a ConfigMap of yours: put what it says into descheduler.policy'
  return { ...done, isLossy: true, report: [...done.report, { from: 'deschedulerPolicy', kind: 'lost', why }] }
}
