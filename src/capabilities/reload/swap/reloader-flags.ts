// The flags of a Deployment of Reloader as values of our chart: for whoever installed the plain manifests. Each flag is the value of upstream's
// chart that makes it, so that the one table of rows judges both.
import { listAt } from '#kube/objects/object-fields.ts'
import { type ConvertedValues, convertValues, type ReportLine } from '#upstreams/convert-values.ts'
import { flagsIn } from '#upstreams/flags.ts'
import { isEmpty } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { reloaderRows } from './reloader-rows.ts'

/** By flag, in lower case: the value of upstream's chart, and how its text becomes one. */
const flags: Readonly<Record<string, { readonly path: string; readonly as?: 'boolean' }>> = {
  'auto-reload-all': { path: 'reloader.autoReloadAll', as: 'boolean' },
  'reload-strategy': { path: 'reloader.reloadStrategy' },
  'reload-on-create': { path: 'reloader.reloadOnCreate', as: 'boolean' },
  'reload-on-delete': { path: 'reloader.reloadOnDelete', as: 'boolean' },
  'sync-after-restart': { path: 'reloader.syncAfterRestart', as: 'boolean' },
  'is-argo-rollouts': { path: 'reloader.isArgoRollouts', as: 'boolean' },
  'enable-csi-integration': { path: 'reloader.enableCSIIntegration', as: 'boolean' },
  'enable-ha': { path: 'reloader.enableHA', as: 'boolean' },
  'enable-pprof': { path: 'reloader.enablePProf', as: 'boolean' },
  'pprof-addr': { path: 'reloader.pprofAddr' },
  'log-format': { path: 'reloader.logFormat' },
  'log-level': { path: 'reloader.logLevel' },
  'namespaces-to-ignore': { path: 'reloader.ignoreNamespaces' },
  'namespace-selector': { path: 'reloader.namespaceSelector' },
  'resource-label-selector': { path: 'reloader.resourceLabelSelector' },
  'webhook-url': { path: 'reloader.webhookUrl' },
  'configmap-annotation': { path: 'reloader.custom_annotations.configmap' },
  'secret-annotation': { path: 'reloader.custom_annotations.secret' },
  'auto-annotation': { path: 'reloader.custom_annotations.auto' },
  'secret-auto-annotation': { path: 'reloader.custom_annotations.secret_auto' },
  'configmap-auto-annotation': { path: 'reloader.custom_annotations.configmap_auto' },
  'auto-search-annotation': { path: 'reloader.custom_annotations.search' },
  'search-match-annotation': { path: 'reloader.custom_annotations.match' },
  'ignore-annotation': { path: 'reloader.custom_annotations.ignore' },
  'pause-deployment-annotation': { path: 'reloader.custom_annotations.pausePeriod' },
  'pause-deployment-time-annotation': { path: 'reloader.custom_annotations.pauseTime' },
}

/** Our values for what a container of Reloader is started with, and what became of each flag and variable. */
export function convertContainer(container: ValuesTree, namespace: string | undefined): ConvertedValues {
  const unknown: ReportLine[] = []
  let values: ValuesTree = {}
  const set = (path: string, value: unknown) => {
    values = withValue(values, path.split('.'), value)
  }
  for (const { name, value } of argumentsOf(container)) {
    const known = flags[name.toLowerCase()]
    if (known !== undefined) set(known.path, known.as === 'boolean' ? value === 'true' : unquoted(value))
    else if (name === 'resources-to-ignore') {
      for (const word of value.toLowerCase().split(','))
        set(word === 'secrets' ? 'reloader.ignoreSecrets' : 'reloader.ignoreConfigMaps', true)
    } else if (name === 'ignored-workload-types') {
      for (const word of value.split(',')) set(word === 'jobs' ? 'reloader.ignoreJobs' : 'reloader.ignoreCronJobs', true)
    } else if (name === 'namespaces') set('reloader.namespaces', value.split(','))
    else unknown.push({ from: `--${name}`, kind: 'unknown', why: 'no flag of upstream that is known here' })
  }
  const isScoped = environmentOf(container).some(({ name }) => name === 'KUBERNETES_NAMESPACE')
  if (isScoped) set('reloader.watchGlobally', false)
  const { open, existing, field } = sorted(environmentOf(container))
  set('reloader.deployment.env', { open, existing, field })
  // A flag acts wherever it stands: only the chart leaves a webhook's URL out.
  const url = webhookOf(values)
  if (url !== '') values = withValue(values, ['reloader', 'webhookUrl'], '')
  const start = { capabilities: { reload: { enabled: true, ...(url === '' ? {} : { webhookUrl: url }) } } }
  const converted = convertValues({ rows: reloaderRows, version: undefined, values, namespace, start })
  const extra: readonly ReportLine[] =
    url === '' ? [] : [{ from: '--webhook-url', kind: 'carried', to: 'capabilities.reload.webhookUrl' }]
  return {
    values: converted.values,
    report: [...extra, ...converted.report, ...unknown],
    isLossy: converted.isLossy || unknown.length > 0,
  }
}

function webhookOf(values: ValuesTree): string {
  const url = valueAt(values, ['reloader', 'webhookUrl'])
  return typeof url === 'string' ? url : ''
}

/** A flag alone stands for `true`. */
function argumentsOf(container: ValuesTree): readonly { readonly name: string; readonly value: string }[] {
  return flagsIn(['command', 'args'].flatMap(key => listAt(container, key))).map(({ name, values: [value = 'true'] }) => ({
    name,
    value,
  }))
}

/** The chart passes selectors in quotes of their own. */
function unquoted(value: string): string {
  return /^"(.*)"$/s.exec(value)?.[1] ?? value
}

function environmentOf(container: ValuesTree): readonly ValuesTree[] {
  return listAt(container, 'env').filter(isTree)
}

/** Variables that say where upstream runs or how Go does; ours has its own. */
const ownVariables = [
  'KUBERNETES_NAMESPACE',
  'RELOADER_NAMESPACE',
  'RELOADER_DEPLOYMENT_NAME',
  'POD_NAME',
  'POD_NAMESPACE',
  'GOMAXPROCS',
  'GOMEMLIMIT',
]

function sorted(variables: readonly ValuesTree[]) {
  const open: Record<string, unknown> = {}
  const field: Record<string, unknown> = {}
  const existing: Record<string, Record<string, unknown>> = {}
  for (const { name, value, valueFrom } of variables) {
    if (typeof name !== 'string' || ownVariables.includes(name)) continue
    const secret = isTree(valueFrom) ? valueFrom['secretKeyRef'] : undefined
    const ofPod = isTree(valueFrom) ? valueFrom['fieldRef'] : undefined
    if (isTree(secret)) existing[String(secret['name'])] = { ...existing[String(secret['name'])], [name]: secret['key'] }
    else if (isTree(ofPod)) field[name] = ofPod['fieldPath']
    // Set and empty is not unset to upstream, which adds its colon to each alert: a blank says the same to ours.
    else open[name] = name === 'ALERT_ADDITIONAL_INFO' && isEmpty(value) ? ' ' : value
  }
  return { open, existing, field }
}
