// What becomes of the environment that upstream's chart gives its container: variables that it reads become keys of our configuration where
// the values say them openly, and variables of our own container where they come from a Secret or a field; it reads them, too.
import { converted, isEmpty, type RowContext, type Step, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree } from '#upstreams/values-tree.ts'

const base = 'reloader.deployment.env'

/** The Secret that stands in for the one upstream's chart makes of `env.secret`. */
const ownSecret = 'ballast-alerts'

export const environmentRows: readonly ValuesRow[] = [
  converted(`${base}.open`, (value, context) => openly(value, context)),
  converted(`${base}.secret`, (value, context) => fromOwnSecret(value, context)),
  converted(`${base}.existing`, value => fromSecrets(value)),
  converted(`${base}.field`, value =>
    isTree(value)
      ? Object.entries(value)
          .filter(([, fieldPath]) => !isEmpty(fieldPath))
          .map(([name, fieldPath]) => variable({ name, valueFrom: { fieldRef: { fieldPath } } }))
      : [],
  ),
]

/** One more variable of our container. */
export function variable(value: unknown): Extract<Step, { readonly kind: 'carried' }> {
  return { kind: 'carried', to: 'controller.extraEnv', value, isItem: true }
}

const reload = (key: string) => `capabilities.reload.${key}`

/** What upstream reads of its environment, and where it stands with us. */
const knownVariables: Readonly<Record<string, string>> = {
  ALERT_SINK: 'alerts.sink',
  ALERT_WEBHOOK_URL: 'alerts.webhookUrl',
  ALERT_WEBHOOK_PROXY: 'alerts.proxy',
  ALERT_ADDITIONAL_INFO: 'alerts.additionalInfo',
}

const knownSinks: readonly string[] = ['slack', 'teams', 'gchat', 'webhook']

function openly(value: unknown, context: RowContext): readonly Step[] {
  if (!isTree(value)) return []
  const isSplit = hasAlertsElsewhere(context)
  return Object.entries(value).flatMap(([name, text]): readonly Step[] => {
    if (isEmpty(text)) return []
    // Variables win over the configuration, and alerts are on or off as a whole: what belongs together stays together.
    if (isSplit && name.startsWith('ALERT_'))
      return [{ ...variable({ name, value: String(text) }), why: 'beside those that come from a Secret' }]
    if (name === 'ALERT_SINK' && !knownSinks.includes(String(text)))
      return [{ kind: 'dropped', why: 'upstream sends plain text for a sink it does not know, as ours does by default' }]
    const key = knownVariables[name]
    if (key !== undefined) return [{ kind: 'carried', to: reload(key), value: String(text) }]
    if (name === 'ALERT_ON_RELOAD') return [{ kind: 'carried', to: reload('alerts.enabled'), value: String(text) === 'true' }]
    if (name === 'METRICS_COUNT_BY_NAMESPACE')
      return [{ kind: 'carried', to: reload('metricsByNamespace'), value: text === 'enabled' }]
    return [variable({ name, value: String(text) })]
  })
}

/** Does any variable of alerts come from a Secret or a field? */
function hasAlertsElsewhere({ read }: RowContext): boolean {
  const maps = [read(`${base}.secret`), read(`${base}.field`), ...Object.values(Object(read(`${base}.existing`)))]
  return maps.some(
    map => isTree(map) && Object.entries(map).some(([name, value]) => name.startsWith('ALERT_') && !isEmpty(value)),
  )
}

/** Upstream's chart makes a Secret of these; ours carries one among its extra objects, encoded so that no template is seen in it. */
function fromOwnSecret(value: unknown, { read }: RowContext): readonly Step[] {
  const given = isTree(value) ? Object.entries(value).filter(([, text]) => !isEmpty(text)) : []
  if (given.length === 0) return []
  const place = read('namespace')
  const namespace = typeof place === 'string' && place !== '' ? place : '{{ .Release.Namespace }}'
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: ownSecret, namespace },
    data: Object.fromEntries(given.map(([name, text]) => [name, Buffer.from(String(text)).toString('base64')])),
  }
  return [
    {
      kind: 'carried',
      to: 'extraObjects',
      value: secret,
      isItem: true,
      why: `as Secret ${ownSecret}, as open in these values as in the old ones`,
    },
    ...given.map(([name]) => variable({ name, valueFrom: { secretKeyRef: { name: ownSecret, key: name } } })),
  ]
}

function fromSecrets(value: unknown): readonly Step[] {
  if (!isTree(value)) return []
  return Object.entries(value).flatMap(([secret, names]) =>
    Object.entries(isTree(names) ? names : {})
      .filter(([name]) => name !== '')
      .map(
        ([name, key]): Step => ({
          ...variable({ name, valueFrom: { secretKeyRef: { name: secret, key } } }),
          why: `${name}; Secret ${secret} has to be where Ballast runs, too`,
        }),
      ),
  )
}
