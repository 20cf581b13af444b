import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import './widgets.css'

interface ConfirmProps {
  title: string
  /** What is said before it is done: what is written, whom it disrupts. */
  children: ComponentChildren
  /** The write as a command. */
  kubectl: string
  /** On the button that does it. */
  label: string
  onConfirm: () => void
  onCancel: () => void
}

/** Asks once more. The focus is on Cancel, Escape cancels, and afterwards the focus is back where it was. */
export function Confirm({ title, children, kubectl, label, onConfirm, onCancel }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const cancel = useRef<HTMLButtonElement>(null)
  const titleId = useId()
  useLayoutEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    cancel.current?.focus()
    return () => {
      // As long as it is open nothing else takes the focus.
      dialog.current?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      class="widgets-confirm"
      aria-labelledby={titleId}
      onCancel={event => {
        event.preventDefault()
        onCancel()
      }}
    >
      <h2 id={titleId}>{title}</h2>
      {children}
      <p class="widgets-kubectl-label">It is the same as</p>
      <pre class="widgets-kubectl">{kubectl}</pre>
      <div class="widgets-buttons">
        <button type="button" class="widgets-button" ref={cancel} onClick={onCancel}>
          Cancel
        </button>
        <button type="button" class="widgets-button widgets-button-prominent" onClick={onConfirm}>
          {label}
        </button>
      </div>
    </dialog>
  )
}
