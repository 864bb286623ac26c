// What looks on at a call may fail and the call goes on: a callback of the page's is called so that its faults stay with it.

/** True: it was called. False: it threw, and is not to be called again. */
export function isHarmless(call: () => void): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}
