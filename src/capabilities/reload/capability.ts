// Restarts workloads when the ConfigMaps, Secrets and SecretProviderClasses that they use have changed: a drop-in for Reloader.
import { capability } from '#coordination/capability.ts'
import { evictPermission } from '#coordination/effects/evict.ts'
import { pauseRolloutPermission, resumeRolloutPermission } from '#coordination/effects/pause-rollout.ts'
import { prepareCronJobPermission } from '#coordination/effects/prepare-start.ts'
import { replaceJobPermission } from '#coordination/effects/replace-job.ts'
import { restartArgoRolloutPermission, restartCustomPermission, restartPermission } from '#coordination/effects/restart.ts'
import { restartAtPermission } from '#coordination/effects/restart-at.ts'
import { triggerJobPermission, triggerJobReadPermission } from '#coordination/effects/trigger-job.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { resourceKey } from '#kube/objects/resource.ts'
import { defaultAnnotationKeys } from './annotations.ts'
import { baselineNames } from './baseline/baseline-store.ts'
import { ignoredTypesOf, type ReloadConfig, reloadConfiguration } from './config.ts'
import { startReload } from './controller.ts'
import { reloadMetrics } from './metrics.ts'
import { reloadAlerts, reloadPanels } from './monitoring.ts'
import { reloadEnvironment } from './reloader-environment.ts'
import { mountFields } from './sources/provider-classes.ts'
import { resourceOfReadable } from './sources/source-reader.ts'
import { sourceSelectors, watchedTypes } from './sources/source-watch.ts'
import { namedNamespaces } from './sources/watched-namespaces.ts'
import { eventPermission } from './telling/events.ts'
import { workloadKinds } from './workloads/workload-watch.ts'
import { reloadWords } from './workloads/workload-words.ts'

/** What is watched with `config`; what it ignores is neither watched nor granted. */
function needsFor(config: ReloadConfig): readonly Need[] {
  const namespaces = namedNamespaces(config)
  const scope = namespaces === undefined ? {} : { scope: { namespaces } }
  const known = new Set(clusterNeeds.map(resourceKey))
  const sources = watchedTypes(config).map((type): Need => {
    const of = type === 'secret' ? { resource: 'secrets', kind: 'Secret' } : { resource: 'configmaps', kind: 'ConfigMap' }
    return { group: '', version: 'v1', ...of, mode: 'metadata', ...sourceSelectors(type, config), ...scope, optional: true }
  })
  const workloads = workloadKinds(config)
    .filter(({ resource }) => !known.has(resourceKey(resource)))
    .map(({ kind, resource }): Need => ({ ...resource, kind, mode: 'full', optional: true }))
  const mounts: readonly Need[] = [
    {
      ...resourceOfReadable.SecretProviderClassPodStatus,
      kind: 'SecretProviderClassPodStatus',
      mode: 'projection',
      fields: mountFields,
      optional: true,
      ...scope,
    },
    { ...resourceOfReadable.SecretProviderClass, kind: 'SecretProviderClass', mode: 'metadata', optional: true, ...scope },
  ]
  return [...clusterNeeds, ...sources, ...workloads, ...(config.csiIntegration ? mounts : [])]
}

const ownObjects: readonly Permission[] = [
  {
    groups: [''],
    resources: ['configmaps'],
    verbs: ['get', 'create', 'patch', 'delete'],
    scope: 'own-namespace',
    because: 'remembers what was acted on, and Jobs that are being replaced',
  },
]

/** What it may do with `config`. */
function permissionsFor(config: ReloadConfig): readonly Permission[] {
  const ignored = ignoredTypesOf(config)
  return [
    restartPermission,
    pauseRolloutPermission,
    resumeRolloutPermission,
    evictPermission,
    eventPermission,
    ...ownObjects,
    ...(ignored.includes('cronjobs') ? [] : [triggerJobPermission, triggerJobReadPermission, prepareCronJobPermission]),
    ...(ignored.includes('jobs') ? [] : [replaceJobPermission]),
    ...(config.argoRollouts ? [restartArgoRolloutPermission, restartAtPermission] : []),
    // A workload's own annotation may ask for either way.
    ...config.customKinds.map(restartCustomPermission),
  ]
}

export const reload = capability({
  name: 'reload',
  document: 'reload.md',
  config: reloadConfiguration,
  kinds: ballastKinds,
  replaces: [{ upstream: 'reloader', leases: ['stakater-reloader-lock'] }],
  disrupts: ['restart', 'evict'],
  upstreams: async () => [(await import('./swap/reloader.ts')).reloader],
  findings: async () => (await import('./doctor/reload-annotations.ts')).reloadFindings,
  commands: [
    {
      name: 'reloader',
      usage: '[options]',
      about:
        "restarts workloads when their ConfigMaps and Secrets change, with Reloader's flags, environment, ports and Lease. A program called `reloader` runs it too",
      inPlaceOf: { programs: ['reloader'], variables: ['RELOADER_NAMESPACE', 'RELOADER_DEPLOYMENT_NAME'] },
      load: async () => (await import('./commands/reloader.ts')).defineReloader,
    },
  ],
  environment: reloadEnvironment,
  up: async () => (await import('./commands/reload-watch.ts')).reloadStory,
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: needsFor,
      permissions: permissionsFor,
      listeners: [],
      offers: [],
      takes: [],
      start: startReload,
    },
  ],
  rightsFollow: {
    namespacesIn: 'namespaces',
    kindsIn: 'customKinds',
    settings: [
      { on: 'argoRollouts', with: { argoRollouts: true } },
      { on: 'csiIntegration', with: { csiIntegration: true } },
      { has: 'resourcesToIgnore', value: 'secrets', with: { resourcesToIgnore: ['secrets'] } },
      { has: 'resourcesToIgnore', value: 'configmaps', with: { resourcesToIgnore: ['configmaps'] } },
      { has: 'ignoredWorkloadTypes', value: 'jobs', with: { ignoredWorkloadTypes: ['jobs'] } },
      { has: 'ignoredWorkloadTypes', value: 'cronjobs', with: { ignoredWorkloadTypes: ['cronjobs'] } },
    ],
  },
  leaves: [
    ...baselineNames.map(name => ({ kind: 'object', apiVersion: 'v1', of: 'ConfigMap', name, namespace: 'own' }) as const),
    { kind: 'pause', annotation: defaultAnnotationKeys.pauseTime },
  ],
  words: reloadWords,
  alerts: reloadAlerts,
  panels: reloadPanels,
  questions: [
    {
      name: 'restart',
      words: 'restart it',
      place: 2,
      about: 'rollout',
      wish: () => ({ verb: 'restart', purpose: 'reload', class: 'correctness' }),
    },
  ],
  metrics: registry => void reloadMetrics(registry),
})
