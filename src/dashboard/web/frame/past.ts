// A page of the past: the address names a moment, and everything is shown as of then, without actions and without a stream.
import { computed, type ReadonlySignal } from '@preact/signals'
import { address } from './router.tsx'

/** The moment of the address, RFC 3339; undefined: now. */
export const at: ReadonlySignal<string | undefined> = computed(() => address.value.query.get('at') ?? undefined)
