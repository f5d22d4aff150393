/** A button with a menu: arrows move, Escape closes and gives the focus back. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'

export interface MenuItem {
  readonly label: string
  readonly icon?: ComponentChildren
  readonly danger?: boolean
  /** One of several choices: whether it is the one. */
  readonly checked?: boolean
  readonly href?: string
  readonly onSelect?: () => void
}

interface MenuProps {
  readonly label?: string
  readonly buttonClass: string
  readonly items: readonly MenuItem[]
  readonly children: ComponentChildren
}

export function Menu({ label, buttonClass, items, children }: MenuProps): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const place = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const menu = useRef<HTMLDivElement>(null)
  const id = useId()

  const close = (giveBack: boolean): void => {
    setOpen(false)
    if (giveBack) button.current?.focus()
  }

  // a table that scrolls would cut the menu off: it is placed in the window
  useLayoutEffect(() => {
    if (!isOpen || menu.current === null || button.current === null) return
    const { right, bottom, top } = button.current.getBoundingClientRect()
    const { offsetWidth, offsetHeight, style } = menu.current
    const below = bottom + 4 + offsetHeight <= window.innerHeight
    style.left = `${Math.max(8, right - offsetWidth)}px`
    style.top = `${below ? bottom + 4 : Math.max(8, top - 4 - offsetHeight)}px`
    menu.current.querySelector<HTMLElement>('[role^=menuitem]')?.focus()
  }, [isOpen])

  useEffect(() => {
    if (!isOpen) return
    const outside = ({ target }: Event): void => {
      if (target instanceof Node && place.current?.contains(target) === true) return
      setOpen(false)
    }
    document.addEventListener('pointerdown', outside)
    window.addEventListener('scroll', outside, true)
    return () => {
      document.removeEventListener('pointerdown', outside)
      window.removeEventListener('scroll', outside, true)
    }
  }, [isOpen])

  const onKeyDown = (event: KeyboardEvent): void => {
    const all = [...(menu.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    const move = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key]
    if (move !== undefined) all[(move + all.length) % all.length]?.focus()
    else if (event.key === 'Escape') close(true)
    else {
      if (event.key === 'Tab') setOpen(false)
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <div class="menu-place" ref={place}>
      <button
        type="button"
        ref={button}
        class={buttonClass}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return
          event.preventDefault()
          setOpen(true)
        }}
      >
        {children}
      </button>
      {isOpen && (
        <div class="menu fixed" role="menu" id={id} ref={menu} aria-label={label} onKeyDown={onKeyDown}>
          {items.map((item) => {
            const inner = (
              <>
                {item.icon}
                {item.label}
              </>
            )
            const className = item.danger === true ? 'danger' : undefined
            if (item.href !== undefined)
              return (
                <a role="menuitem" tabIndex={-1} class={className} href={item.href} onClick={() => close(false)}>
                  {inner}
                </a>
              )
            return (
              <button
                type="button"
                tabIndex={-1}
                class={className}
                {...(item.checked === undefined
                  ? { role: 'menuitem' as const }
                  : { role: 'menuitemradio' as const, 'aria-checked': item.checked })}
                onClick={() => {
                  close(true)
                  item.onSelect?.()
                }}
              >
                {inner}
              </button>
            )
          })}
        </div>
      )}
    </div>
  )
}
