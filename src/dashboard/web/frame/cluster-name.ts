// How the cluster is called: in the header, and in the title of each page.
import { signal } from '@preact/signals'

export const clusterName = signal(document.documentElement.dataset['cluster'] ?? '')
