"""`shop audit`: do money, stock and orders agree, in all services and at the bank?"""
