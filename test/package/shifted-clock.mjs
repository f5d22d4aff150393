// Loaded before the command line (NODE_OPTIONS --import): a machine whose clock is off by TEST_CLOCK_SHIFT_MS.
const shift = Number(process.env.TEST_CLOCK_SHIFT_MS)
const RealDate = Date

globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + shift)
    else super(...args)
  }

  static now() {
    return RealDate.now() + shift
  }
}
