// Which sources a workload takes: its annotations and its template's, read once for each version of it (config-reload 3.4, steps 3 to 8).
import {
  type AnnotationProblem,
  type Annotations,
  annotationOf,
  entriesOf,
  fixedAnnotationKeys as fixed,
  isTrueText,
} from '../annotations.ts'
import type { ReloadSettings } from '../settings.ts'
import { type SourceType, sourceTypes } from '../sources/source-state.ts'
import { type NamedSources, namedSources } from './patterns.ts'

/** What a workload says of sources of one type. */
export interface TypeSelection {
  readonly named: NamedSources
  readonly excluded: readonly string[]
  readonly isSearching: boolean
  /** `said`: by an annotation; `all`: because the configuration takes all that say nothing. */
  readonly auto: 'said' | 'all' | 'no'
}

export interface Selection extends Readonly<Record<SourceType, TypeSelection>> {
  /** Patterns that do not compile, once each. */
  readonly problems: readonly AnnotationProblem[]
}

type SelectionSettings = Pick<ReloadSettings, 'keys' | 'autoReloadAll' | 'excludesOnTemplate' | 'patterns'>

interface Given {
  readonly annotations: Annotations
  readonly templateAnnotations: Annotations
}

/** What the annotations of a workload and of its template select. */
export function selectionOf(given: Given, settings: SelectionSettings): Selection {
  const [configmap, secret, secretproviderclass] = [
    typeSelection('configmap', given, settings),
    typeSelection('secret', given, settings),
    typeSelection('secretproviderclass', given, settings),
  ]
  return {
    configmap,
    secret,
    secretproviderclass,
    problems: [configmap, secret, secretproviderclass].flatMap(({ named }) => named.problems),
  }
}

interface TypeKeys {
  readonly named: string
  readonly auto: string
  readonly excluded: string
}

function keysOf(type: SourceType, { keys }: SelectionSettings): TypeKeys {
  switch (type) {
    case 'configmap':
      return { named: keys.configmap, auto: keys.configmapAuto, excluded: fixed.excludeConfigmaps }
    case 'secret':
      return { named: keys.secret, auto: keys.secretAuto, excluded: fixed.excludeSecrets }
    case 'secretproviderclass':
      return {
        named: fixed.secretProviderClass,
        auto: fixed.secretProviderClassAuto,
        excluded: fixed.excludeSecretProviderClasses,
      }
  }
}

function typeSelection(type: SourceType, given: Given, settings: SelectionSettings): TypeSelection {
  const { annotations, templateAnnotations } = given
  const typeKeys = keysOf(type, settings)
  const { search, auto } = settings.keys
  // One key of these on the workload, even an empty one, and the template is not asked.
  const deciding = [typeKeys.named, search, auto, typeKeys.auto]
  const asked = deciding.some(key => annotationOf(annotations, key) !== undefined) ? annotations : templateAnnotations
  const excluded = entriesOf(annotationOf(annotations, typeKeys.excluded))
  return {
    named: namedSources(typeKeys.named, annotationOf(asked, typeKeys.named), settings.patterns),
    excluded: settings.excludesOnTemplate
      ? [...excluded, ...entriesOf(annotationOf(templateAnnotations, typeKeys.excluded))]
      : excluded,
    isSearching: annotationOf(asked, search) === 'true',
    auto: autoOf([annotationOf(asked, auto), annotationOf(asked, typeKeys.auto)], settings),
  }
}

/** Any text that is not empty, `yes` too, keeps `autoReloadAll` away. */
function autoOf(texts: readonly (string | undefined)[], { autoReloadAll }: SelectionSettings): TypeSelection['auto'] {
  if (texts.some(isTrueText)) return 'said'
  return autoReloadAll && texts.every(text => text === undefined || text === '') ? 'all' : 'no'
}

/** Every pair of a type and what is selected of it. */
export function selectionsByType(selection: Selection): readonly (readonly [SourceType, TypeSelection])[] {
  return sourceTypes.map(type => [type, selection[type]])
}
