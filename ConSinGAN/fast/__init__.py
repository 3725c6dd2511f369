"""The same mathematics, quicker or in less memory; nothing above needs to know which form is taken."""
