package intake

import (
	"fmt"
	"regexp"
	"strings"

	"recoup/billing"
)

var last4Shape = regexp.MustCompile(`^[0-9A-Za-z]{0,4}$`)

var chargeKinds = []billing.ChargeKind{
	billing.ChargeUsage, billing.ChargeRecurring, billing.ChargeUpfront, billing.ChargeMarketplace, billing.ChargeSupport,
	billing.ChargeTax, billing.ChargeAdjustment,
}

// excludedKinds are those a credit doesn't pay unless it says so (CR3).
var excludedKinds = []billing.ChargeKind{billing.ChargeUpfront, billing.ChargeMarketplace, billing.ChargeSupport, billing.ChargeTax}

func (f fields) contacts(account billing.AccountID, objects []contactObject) []billing.Contact {
	if len(objects) > ContactsMax {
		f.bad("contacts", "must be at most %d", ContactsMax)
		return nil
	}
	var contacts []billing.Contact
	seen := map[string]bool{}
	for i, o := range objects {
		field := fmt.Sprintf("contacts[%d].email", i)
		f.text(fmt.Sprintf("contacts[%d].name", i), o.Name, textMax)
		f.email(field, o.Email)
		if key := strings.ToLower(o.Email); key != "" && seen[key] {
			f.bad(field, "is there twice")
		} else {
			seen[key] = true
		}
		contacts = append(contacts, billing.Contact{AccountID: account, Position: i + 1, Name: o.Name, Email: o.Email})
	}
	return contacts
}
