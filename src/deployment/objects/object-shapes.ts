// What all objects of an installation have in common: names, labels, annotations.
import { any, block, type Fields, type Hole, labels, type Named, named, type Tree, text, when } from '../tree.ts'

/** `<fullname><suffix>`. */
export const fullName = (suffix = ''): Hole => text(named('fullname'), suffix)

export const nameText = (name: Named): Hole => text(named(name))

/** What selectors use: these never change while a release lives. */
export const selectorLabels = (component: string): Fields => ({
  'app.kubernetes.io/name': nameText('name'),
  'app.kubernetes.io/instance': nameText('release'),
  'app.kubernetes.io/component': component,
})

/** Every label of an object: those that all have, `own` besides, and the user's. */
export function labelsOf(component: string, own: Fields = {}): Fields {
  return { '...standard': labels(component), ...own, '...common': block('commonLabels') }
}

interface Identity {
  readonly name: Tree
  /** `undefined`: an object outside of namespaces. Default: the release's. */
  readonly namespace?: Tree | undefined
  readonly component: string
  readonly labels?: Fields
  readonly annotations?: Fields
  /** Maps of the values whose annotations it has as well. */
  readonly annotationsOf?: readonly string[]
}

/** `metadata` of an object. */
export function metadataOf(identity: Identity): Fields {
  const { name, component } = identity
  const namespace = 'namespace' in identity ? identity.namespace : nameText('namespace')
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: labelsOf(component, identity.labels),
    annotations: annotationsWith(identity.annotations ?? {}, ['commonAnnotations', ...(identity.annotationsOf ?? [])]),
  }
}

/** Constants and maps of the values; left out where all of it is empty. */
export function annotationsWith(constants: Fields, maps: readonly string[], templated = false): Fields | Hole {
  const all = { ...constants, ...Object.fromEntries(maps.map(path => [`...${path}`, block(path, templated)])) }
  return Object.keys(constants).length > 0 ? all : when(any(...maps.map(path => ({ on: path }))), all)
}
