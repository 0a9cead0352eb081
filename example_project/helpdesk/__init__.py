"""Departments, employees, tickets and invoices: synthetic, of any size."""
