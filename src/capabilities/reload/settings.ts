// The configuration made ready for deciding: durations in milliseconds, keys of annotations, windows and paths parsed.

import type { CustomTemplate } from '#coordination/effects/restart.ts'
import type { Target } from '#coordination/intent.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { AnnotationKeys } from './annotations.ts'
import { ignoredTypesOf, type ReloadConfig } from './config.ts'
import { CompiledPatterns } from './workloads/patterns.ts'

interface CustomKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly resource: string
  readonly podTemplatePath: readonly string[]
  readonly reloadBy: 'template' | 'evict'
}

export interface ReloadSettings {
  readonly keys: AnnotationKeys
  readonly autoReloadAll: boolean
  readonly strategy: 'env-vars' | 'annotations'
  readonly reloadOnCreate: boolean
  readonly reloadOnDelete: boolean
  readonly syncAfterRestart: boolean
  readonly ignoredTypes: readonly string[]
  readonly debounceMs: number
  readonly maxWaitMs: number
  readonly guard: { readonly isEnabled: boolean; readonly minimumMs: number; readonly maximumMs: number }
  readonly rotationWindowMs: number
  readonly followsUpstreamJobs: boolean
  readonly excludesOnTemplate: boolean
  readonly customKinds: readonly CustomKind[]
  /** What the annotations' patterns are compiled to. */
  readonly patterns: CompiledPatterns
}

/** Where `workload`, of a kind of somebody else, has its pod template. */
export function customTemplateOf(
  { customKinds }: Pick<ReloadSettings, 'customKinds'>,
  { apiVersion, kind }: Pick<Target, 'apiVersion' | 'kind'>,
): CustomTemplate | undefined {
  const found = customKinds.find(one => one.kind === kind && `${one.group}/${one.version}` === apiVersion)
  if (found === undefined) return undefined
  const { group, version, resource, podTemplatePath: path } = found
  return { resource: { group, version, resource }, path }
}

/** What `config` means for decisions. */
export function reloadSettings(config: ReloadConfig): ReloadSettings {
  return {
    patterns: new CompiledPatterns(),
    keys: config.annotations,
    autoReloadAll: config.autoReloadAll,
    strategy: config.reloadStrategy,
    reloadOnCreate: config.reloadOnCreate,
    reloadOnDelete: config.reloadOnDelete,
    syncAfterRestart: config.syncAfterRestart,
    ignoredTypes: ignoredTypesOf(config),
    debounceMs: durationMs(config.debounce),
    maxWaitMs: durationMs(config.maxWait),
    guard: {
      isEnabled: config.rateGuard.enabled,
      minimumMs: durationMs(config.rateGuard.minimum),
      maximumMs: durationMs(config.rateGuard.maximum),
    },
    rotationWindowMs: durationMs(config.rotationWindow),
    followsUpstreamJobs: config.compat.jobs === 'upstream',
    excludesOnTemplate: config.compat.podTemplateExclude,
    customKinds: config.customKinds.map(kind => ({
      ...kind,
      podTemplatePath: kind.podTemplatePath.split('.'),
      reloadBy: kind.reloadBy === 'template' ? 'template' : 'evict',
    })),
  }
}
