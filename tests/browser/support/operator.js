// How operators do things.
import { expect } from "./test.js";

/** Carries out the act whose form is shown: it says what will happen, asks for a reason, and shows the event it wrote. */
export async function carryOut(page, event) {
  const sheet = page.locator(".sheet");
  await expect(sheet.getByText("What will happen")).toBeVisible();
  await expect(sheet.getByRole("listitem").first()).toHaveText(/\w+/);
  const reason = sheet.getByLabel("Reason");
  await expect(reason).toHaveAttribute("required");
  await reason.fill(`to see ${event}`);
  await sheet.locator("button[type=submit]").click();
  const written = page.locator(".notice.written");
  await expect(written.locator("code")).toHaveText(event);
  await expect(written).toContainText(`to see ${event}`);
}
