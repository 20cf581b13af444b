// The annotations that reload reads and writes, with their standard keys; some can be renamed by the configuration, the others cannot.

/** What can be renamed, as upstream's flags do it. */
export const defaultAnnotationKeys = {
  auto: 'reloader.stakater.com/auto',
  configmapAuto: 'configmap.reloader.stakater.com/auto',
  secretAuto: 'secret.reloader.stakater.com/auto',
  configmap: 'configmap.reloader.stakater.com/reload',
  secret: 'secret.reloader.stakater.com/reload',
  search: 'reloader.stakater.com/search',
  match: 'reloader.stakater.com/match',
  ignore: 'reloader.stakater.com/ignore',
  pausePeriod: 'deployment.reloader.stakater.com/pause-period',
  pauseTime: 'deployment.reloader.stakater.com/paused-at',
} as const

export type AnnotationKeys = { readonly [Name in keyof typeof defaultAnnotationKeys]: string }

/** Keys that have one name everywhere. */
export const fixedAnnotationKeys = {
  secretProviderClassAuto: 'secretproviderclass.reloader.stakater.com/auto',
  secretProviderClass: 'secretproviderclass.reloader.stakater.com/reload',
  excludeConfigmaps: 'configmaps.exclude.reloader.stakater.com/reload',
  excludeSecrets: 'secrets.exclude.reloader.stakater.com/reload',
  excludeSecretProviderClasses: 'secretproviderclasses.exclude.reloader.stakater.com/reload',
  rolloutStrategy: 'reloader.stakater.com/rollout-strategy',
  lastReloadedFrom: 'reloader.stakater.com/last-reloaded-from',
  debounce: 'ballast.dev/reload-debounce',
  window: 'ballast.dev/reload-window',
  keys: 'ballast.dev/reload-keys',
  cronJob: 'ballast.dev/reload-cronjob',
  reloadBy: 'ballast.dev/reload-by',
  allowNamespaces: 'ballast.dev/reload-allow-namespaces',
  revoked: 'ballast.dev/revoked',
  versioned: 'kapp.k14s.io/versioned',
} as const

export type Annotations = Readonly<Record<string, string>>

/** An annotation that cannot be followed. */
export interface AnnotationProblem {
  readonly key: string
  readonly value: string
  /** What is wrong with it, as the end of a sentence. */
  readonly why: string
}

/** The annotation's text; keys such as `__proto__` are keys like any other, and what is no text is not there. */
export function annotationOf(annotations: Annotations, key: string): string | undefined {
  const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined
  return typeof value === 'string' ? value : undefined
}

const trueTexts: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])

/** What Go's ParseBool takes for true; everything else is false. */
export function isTrueText(text: string | undefined): boolean {
  return text !== undefined && trueTexts.has(text)
}

/** Entries of a comma list, trimmed; the empty ones are left out. */
export function entriesOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(',').flatMap(part => part.trim() || [])
}
