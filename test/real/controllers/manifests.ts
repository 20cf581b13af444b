// Objects that scenarios create.
import type { Loose } from './scenario.ts'

export const firstImage = 'registry.example/app:1'
export const secondImage = 'registry.example/app:2'
export const thirdImage = 'registry.example/app:3'

/** A pod's spec without anything that a cluster adds by itself, for the node of the scenarios. */
export function podSpec(more: Loose = {}): Loose {
  return {
    automountServiceAccountToken: false,
    nodeSelector: { pool: 'main' },
    containers: [{ name: 'main', image: firstImage }],
    ...more,
  }
}

export function template(labels: Readonly<Record<string, string>>, more: Loose = {}): Loose {
  return { metadata: { labels }, spec: podSpec(more) }
}

/** A workload whose pods have the label `app: NAME`. */
export function workload(name: string, spec: Loose = {}, pod: Loose = {}): Loose {
  const labels = { app: name }
  return { metadata: { name }, spec: { selector: { matchLabels: labels }, template: template(labels, pod), ...spec } }
}

/** A merge patch of the template's image. */
export function imagePatch(image: string): Loose {
  return { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } }
}

export function job(name: string, spec: Loose = {}): Loose {
  return {
    metadata: { name },
    spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) }, ...spec },
  }
}
