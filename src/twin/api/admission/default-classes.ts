// Which class is the default one: of those that are annotated so, the newest.
import type { KubeObject } from '#kube/objects/objects.ts'

const storageAnnotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
const ingressAnnotations = ['ingressclass.kubernetes.io/is-default-class']

/** The class of a claim that names none. */
export function defaultStorageClassOf<T extends KubeObject>(classes: readonly T[]): T | undefined {
  return newestOf(classes, storageAnnotations)
}

/** The class of an Ingress that names none. */
export function defaultIngressClassOf<T extends KubeObject>(classes: readonly T[]): T | undefined {
  return newestOf(classes, ingressAnnotations)
}

function newestOf<T extends KubeObject>(classes: readonly T[], annotations: readonly string[]): T | undefined {
  const marked = classes.filter(({ metadata }) => annotations.some(annotation => metadata.annotations?.[annotation] === 'true'))
  return marked.toSorted((left, right) =>
    (right.metadata.creationTimestamp ?? '').localeCompare(left.metadata.creationTimestamp ?? ''),
  )[0]
}
