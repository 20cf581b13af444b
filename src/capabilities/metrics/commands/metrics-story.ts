// What `ballast up` tells of metrics: how to see that figures come from the kubelets.
import type { UpStory } from '#cli/up/capability-stories.ts'

export const metricsStory: UpStory = {
  toTry: objects =>
    objects.some(({ kind }) => kind === 'Node')
      ? ['See what nodes use, scraped from their kubelets over TLS:', '  kubectl top nodes']
      : [],
  watch: () => () => undefined,
}
